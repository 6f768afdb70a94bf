// Package cgroup finds the Linux control groups that this process runs in.
//
// A control group ("cgroup") is how a container runtime, systemd or a batch
// system tells the kernel how much CPU and memory a set of processes may use.
// Cgroups form a tree, and every limit on the way from a process up to the
// root holds for it. The kernel shows the tree as directories, one for each
// cgroup, with its limits as small text files inside; [Tree.Dirs] gives those
// directories and [Tree.Read] such a file. What the files mean is left to the
// packages that use them: cpus and memory.
//
// There are two generations. In version 1 each controller (cpu, memory, ...)
// has a tree of its own; in version 2 there is one tree for all. A "hybrid"
// machine has both at once, with a controller living in exactly one of them.
//
// Two files of the kernel say where to look. /proc/self/cgroup names the
// process's cgroup in each tree, and /proc/self/mountinfo says which part of
// which tree is mounted where. In containers the mounted part is usually a
// subtree, and cgroup namespaces change how names are shown, so the two have
// to be read together.
//
// Nothing here fails: what is missing, forbidden or garbled is left out, and
// what is left out limits nobody.
package cgroup

import (
	"bytes"
	"io/fs"
	"os"
	"sync"
)

// Dir is the directory of one cgroup.
type Dir struct {
	// Version is 1 or 2.
	Version int
	// Path is the directory's place in the Tree's file system, without a
	// leading slash: "sys/fs/cgroup/a/b".
	Path string
	// Name is the cgroup's name as the process sees it: "/a/b".
	Name string
}

// Tree finds the cgroups of a process. It remembers what it found until the
// process is moved to another cgroup. Its methods are safe for concurrent use.
type Tree struct {
	fsys fs.FS

	mu      sync.Mutex
	members string           // what /proc/self/cgroup said last
	mounts  []mount          // read when members was
	dirs    map[string][]Dir // by controller, for these members
}

// NewTree returns the tree as fsys shows it, which is the root directory of a
// machine or, in tests, a picture of one.
func NewTree(fsys fs.FS) *Tree { return &Tree{fsys: fsys} }

var self = NewTree(os.DirFS("/"))

// Self returns the tree of this process. On systems other than Linux it is
// empty.
func Self() *Tree { return self }

// Dirs returns the directories of the process's cgroups in which controller
// ("cpu", "memory") may be limited, from the leaf, which holds the process,
// up to the topmost one that is visible. If both versions are mounted, those
// of version 1 come first. Some of the directories may not exist.
//
// A call reads one small file, /proc/self/cgroup; only the first one and those
// after a change of cgroup read the mounts too. The caller must not change the
// result.
func (t *Tree) Dirs(controller string) []Dir {
	data, err := fs.ReadFile(t.fsys, "proc/self/cgroup")
	if err != nil || len(data) == 0 {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.dirs == nil || string(data) != t.members {
		t.members = string(data)
		t.dirs = make(map[string][]Dir)
		mountinfo, _ := fs.ReadFile(t.fsys, "proc/self/mountinfo")
		t.mounts = parseMounts(string(mountinfo))
	}
	dirs, ok := t.dirs[controller]
	if !ok {
		dirs = find(t.members, t.mounts, controller)
		t.dirs[controller] = dirs
	}
	return dirs
}

// Read returns the contents of one file of a cgroup without the space around
// them, and whether the file could be read. Many files do not exist in many
// cgroups: the root has no limits, and a controller may be off.
func (t *Tree) Read(d Dir, file string) ([]byte, bool) {
	data, err := fs.ReadFile(t.fsys, d.Path+"/"+file)
	if err != nil {
		return nil, false
	}
	return bytes.TrimSpace(data), true
}
