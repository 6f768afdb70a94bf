//go:build !linux

package tour

// systemStops are stops that only some systems have: here there are no worker
// processes yet.
var systemStops []stop

var _ = procStop
