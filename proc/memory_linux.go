package proc

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// rss is how much memory a process holds now, in bytes; 0 if it can't be told.
func rss(pid int) int64 {
	var buf [128]byte
	n := readSmall(fmt.Sprintf("/proc/%d/statm", pid), buf[:])
	fields := bytes.Fields(buf[:n])
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(string(fields[1]), 10, 64)
	return pages * int64(os.Getpagesize())
}

// ownMemory is what of a process's memory is its own: shared segments, which
// others hold too, left out.
func ownMemory(pid int) int64 {
	var buf [128]byte
	n := readSmall(fmt.Sprintf("/proc/%d/statm", pid), buf[:])
	fields := bytes.Fields(buf[:n])
	if len(fields) < 3 {
		return 0
	}
	resident, _ := strconv.ParseInt(string(fields[1]), 10, 64)
	shared, _ := strconv.ParseInt(string(fields[2]), 10, 64)
	return (resident - shared) * int64(os.Getpagesize())
}

// peakRSS is the most that a process has held, from its status file.
func peakRSS(name string) int64 {
	var buf [4096]byte
	n := readSmall(name, buf[:])
	_, rest, ok := bytes.Cut(buf[:n], []byte("VmHWM:"))
	if !ok {
		return 0
	}
	fields := bytes.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kb, _ := strconv.ParseInt(string(fields[0]), 10, 64)
	return kb << 10
}

// readSmall reads a small file of the kernel with three system calls.
func readSmall(name string, buf []byte) int {
	fd, err := syscall.Open(name, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return 0
	}
	defer syscall.Close(fd) //nolint:errcheck // it is only read
	n, err := syscall.Read(fd, buf)
	if err != nil || n < 0 {
		return 0
	}
	return n
}
