package tour

// systemStops are stops that only some systems have.
var systemStops = []stop{procStop}
