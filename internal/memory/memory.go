// Package memory tells how much memory this process may use, how much it can
// still take now, and how much it uses.
//
// Three parties limit a process. The machine has only so much memory. On Linux
// a cgroup (a container, a systemd unit, a batch job) may have less, and so
// may every cgroup around it: past a hard limit the kernel kills, past a soft
// one (memory.high) it slows the process down until it is of no use. And a
// user may have set GOMEMLIMIT for the Go part of the process. [Limit] is the
// tightest of them, [Available] the least room that one of them leaves.
//
// What counts as used is memory that the kernel cannot take back without
// swapping: anonymous memory, shared memory and the kernel's own. The page
// cache does not count, as the kernel drops it when memory runs short; the
// usage that container tools show does count it, and would make a process that
// reads large files look full.
//
// All sizes are in bytes. All functions are safe for concurrent use. What
// cannot be read does not limit: a system other than Linux has the machine's
// memory as its only limit, or none that is known.
package memory

import (
	"fmt"
	"io/fs"
	"math"
	"os"

	"github.com/weft-go/weft/internal/cgroup"
)

// None is the limit where none is known.
const None int64 = math.MaxInt64

const (
	machineSource = "the machine's memory"
	goSource      = "GOMEMLIMIT"
	noSource      = "no known limit"
)

// Limit returns the most memory that this process may use in all, [None] if
// that is not known, and who says so as part of a sentence: "GOMEMLIMIT",
// "cgroup v2 memory.max at /a/b", "the machine's memory". It is the tightest
// limit of the cgroups up the tree, GOMEMLIMIT and the machine.
//
// The cgroups' part is up to a second old, GOMEMLIMIT is not. It takes below a
// microsecond and allocates nothing; once a second one caller spends about
// 100 µs on reading anew.
func Limit() (bytes int64, source string) { return process.limit() }

// Available returns how much more memory this process can take now, at least
// 0, [None] if that is not known, and who sets the bound, with the same words
// as [Limit]. Of each cgroup up the tree it takes the limit less what all its
// processes use, of GOMEMLIMIT what Go does not hold yet or holds idle, and of
// the machine what it can give without swapping.
//
// Garbage counts as used until Go's next collection, and memory that another
// process asks for in the meantime is gone: it is a measurement, not a
// reservation. It is read afresh in each call, which takes some 20 µs and 30 µs
// more for each cgroup with a limit, and allocates a few kilobytes.
func Available() (bytes int64, source string) { return process.available() }

var process = newReader(os.DirFS("/"), cgroup.Self(), Go, RSS)

// reader reads the limits of one process on one machine.
type reader struct {
	fsys   fs.FS
	tree   *cgroup.Tree
	goUse  func() GoUse
	rss    func() int64
	bounds cgroup.Cached[[]bound]
}

func newReader(fsys fs.FS, tree *cgroup.Tree, goUse func() GoUse, rss func() int64) *reader {
	r := &reader{fsys: fsys, tree: tree, goUse: goUse, rss: rss}
	r.bounds.Read = r.readBounds
	return r
}

// bound is one limit that lies outside the process.
type bound struct {
	bytes  int64
	source string
	dir    cgroup.Dir // the zero Dir is the machine
}

// readBounds returns the limits of all cgroups, from the leaf up, and the
// machine's. Those that do not limit are left out.
func (r *reader) readBounds() []bound {
	var bounds []bound
	leaf := true
	for _, d := range r.tree.Dirs("memory") {
		bytes, file := limitOf(r.tree, d, leaf && d.Version == 1)
		leaf = false
		if bytes != None {
			bounds = append(bounds, bound{bytes, fmt.Sprintf("cgroup v%d %s at %s", d.Version, file, d.Name), d})
		}
	}
	if total := machineTotal(r.fsys); total != None {
		bounds = append(bounds, bound{bytes: total, source: machineSource})
	}
	return bounds
}

func (r *reader) limit() (int64, string) {
	low, source := None, noSource
	for _, b := range r.bounds.Get() {
		if b.bytes < low {
			low, source = b.bytes, b.source
		}
	}
	if l := r.goUse().Limit; l < low {
		low, source = l, goSource
	}
	return low, source
}

func (r *reader) available() (int64, string) {
	low, source := None, noSource
	for _, b := range r.bounds.Get() {
		var room int64
		if b.dir == (cgroup.Dir{}) {
			room = machineAvailable(r.fsys)
			if room == None {
				room = b.bytes - r.rss()
			}
		} else {
			used, ok := usedIn(r.tree, b.dir)
			if !ok {
				used = r.rss()
			}
			room = b.bytes - used
		}
		if room < low {
			low, source = room, b.source
		}
	}
	if u := r.goUse(); u.Limit != None {
		if room := u.Limit - (u.Held - u.Idle); room < low {
			low, source = room, goSource
		}
	}
	return max(0, low), source
}
