//go:build !darwin

package memory

// systemTotal is for systems that have no /proc/meminfo.
func systemTotal() int64 { return None }
