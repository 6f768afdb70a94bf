package memory

import (
	"bytes"
	"math"
	"strconv"

	"github.com/weft-go/weft/internal/cgroup"
)

// limitOf returns the lowest limit of one cgroup and the name of the file that
// has it, or None. In the leaf of a version 1 tree the kernel also writes down
// the lowest limit of all cgroups above, even of those that a container cannot
// see; hierarchical says to look there.
func limitOf(t *cgroup.Tree, d cgroup.Dir, hierarchical bool) (low int64, file string) {
	low = None
	files := []string{"memory.limit_in_bytes"}
	if d.Version == 2 {
		files = []string{"memory.max", "memory.high"}
	}
	for _, f := range files {
		data, _ := t.Read(d, f)
		if n := parseLimit(data); n < low {
			low, file = n, f
		}
	}
	if hierarchical {
		data, _ := t.Read(d, "memory.stat")
		if n := parseStat(data).above; n < low {
			low, file = n, "hierarchical_memory_limit"
		}
	}
	return low, file
}

// noLimit is the least number that means none. Version 1 writes the largest
// multiple of the page size that fits into 63 bits, which differs from machine
// to machine.
const noLimit = 1 << 60

// parseLimit reads a number of bytes, or None: for "max", for version 1's huge
// number, for garbage, and for 0, under which nothing could run.
func parseLimit(data []byte) int64 {
	n, err := strconv.ParseInt(string(data), 10, 64)
	if err != nil || n <= 0 || n >= noLimit {
		return None
	}
	return n
}

// usedIn returns what the processes of a cgroup and of those below it use and
// could not give back without swapping, and whether that is known.
func usedIn(t *cgroup.Tree, d cgroup.Dir) (int64, bool) {
	data, _ := t.Read(d, "memory.stat")
	s := parseStat(data)
	used, known := s.v2, s.v2Known
	pinned := s.unevictable
	if d.Version == 1 {
		used, known = s.local, s.localKnown
		if s.totalKnown {
			used, pinned = s.total, s.totalUnevictable
			known = true
		}
	}
	// Locked memory is mostly anonymous or shared memory, counted already.
	// Where it is more than those, the rest is locked files.
	return max(used, pinned), known
}

// stat is what the lines of a memory.stat add up to, each sum with the lines
// of one dialect. Version 1 has a number for the cgroup alone and one, with
// "total_", that includes those below; version 2 has only the latter.
type stat struct {
	v2, local, total                int64
	v2Known, localKnown, totalKnown bool
	unevictable, totalUnevictable   int64
	above                           int64 // hierarchical_memory_limit, or None
}

// parseStat reads a memory.stat, lines of a name and a number. Lines that it
// does not know or understand are skipped.
//
// Version 2's anon and version 1's rss are the anonymous memory; shmem is
// shared memory and tmpfs; the rest is what the kernel keeps on behalf of the
// processes and charges to the limit. slab has a reclaimable part that is left
// out like the page cache.
func parseStat(data []byte) stat {
	s := stat{above: None}
	for line := range bytes.Lines(data) {
		name, value, ok := bytes.Cut(bytes.TrimSpace(line), []byte(" "))
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(string(value), 10, 64)
		if err != nil || n < 0 {
			continue
		}
		switch string(name) {
		case "anon":
			s.v2, s.v2Known = add(s.v2, n), true
		case "kernel_stack", "pagetables", "percpu", "slab_unreclaimable", "sock", "zswap":
			s.v2 = add(s.v2, n)
		case "rss":
			s.local, s.localKnown = add(s.local, n), true
		case "shmem":
			s.v2, s.local = add(s.v2, n), add(s.local, n)
		case "total_rss":
			s.total, s.totalKnown = add(s.total, n), true
		case "total_shmem":
			s.total = add(s.total, n)
		case "unevictable":
			s.unevictable = n
		case "total_unevictable":
			s.totalUnevictable = n
		case "hierarchical_memory_limit":
			s.above = parseLimit(value)
		}
	}
	return s
}

// add adds two sizes and stays at the largest one where the sum is larger.
func add(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
