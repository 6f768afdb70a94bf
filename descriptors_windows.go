package weft

// descriptors is 0: Windows has no such limit.
func descriptors() int { return 0 }
