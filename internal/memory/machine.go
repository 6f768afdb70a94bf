package memory

import (
	"bytes"
	"io/fs"
	"strconv"
)

// machineTotal returns the memory of the machine, or None.
func machineTotal(fsys fs.FS) int64 {
	data, _ := fs.ReadFile(fsys, "proc/meminfo")
	if n := parseMeminfo(data, "MemTotal:"); n != None {
		return n
	}
	return systemTotal()
}

// machineAvailable returns how much memory processes can take without driving
// the machine into swap, as the kernel estimates it, or None.
func machineAvailable(fsys fs.FS) int64 {
	data, _ := fs.ReadFile(fsys, "proc/meminfo")
	return parseMeminfo(data, "MemAvailable:")
}

// parseMeminfo returns one line of /proc/meminfo in bytes, or None. A line is
// "MemTotal:       24684096 kB".
func parseMeminfo(data []byte, name string) int64 {
	for line := range bytes.Lines(data) {
		f := bytes.Fields(line)
		if len(f) < 2 || string(f[0]) != name {
			continue
		}
		n, err := strconv.ParseInt(string(f[1]), 10, 64)
		if err != nil || n < 0 || n >= noLimit>>10 {
			return None
		}
		return n << 10
	}
	return None
}
