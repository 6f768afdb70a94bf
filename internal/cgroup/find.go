package cgroup

import (
	"slices"
	"strings"
)

// maxPath is the kernel's PATH_MAX. A longer name is not a name.
const maxPath = 4096

// find joins what /proc/self/cgroup and /proc/self/mountinfo say about one
// controller.
func find(members string, mounts []mount, controller string) []Dir {
	var dirs []Dir
	for _, version := range []int{1, 2} {
		name, ok := memberOf(members, version, controller)
		if !ok {
			continue
		}
		// The same tree may be mounted several times, each mount showing
		// another part of it. Every part that holds the process counts.
		var guess *mount
		sure := false
		for _, m := range mounts {
			if !m.has(version, controller) {
				continue
			}
			below, where := locate(m.root, name)
			switch where {
			case inside:
				sure = true
				dirs = chain(dirs, version, m, below)
			case unknown:
				if guess == nil {
					guess = &m
				}
			}
		}
		// Kernel and mount disagree, which happens when the container's
		// mounts or its /proc are made to look like something else. The one
		// subtree that somebody mounted for this process is then most likely
		// its own. A wrong guess makes Weft too careful, no guess would have
		// it throttled or killed.
		if !sure && guess != nil {
			dirs = chain(dirs, version, *guess, "")
		}
	}
	return dirs
}

// memberOf returns the name of the process's cgroup in the version 1 tree of
// controller or in the version 2 tree. Lines are "ID:controllers:name", with
// "0::" for version 2.
func memberOf(members string, version int, controller string) (name string, ok bool) {
	for line := range strings.Lines(members) {
		id, rest, ok1 := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		list, name, ok2 := strings.Cut(rest, ":")
		if !ok1 || !ok2 || !strings.HasPrefix(name, "/") || len(name) > maxPath {
			continue
		}
		if version == 2 && id == "0" && list == "" {
			return name, true
		}
		if version == 1 && id != "0" && listHas(list, controller) {
			return name, true
		}
	}
	return "", false
}

// chain appends the directories from below, a path under m's mount point, up
// to the mount point itself.
func chain(dirs []Dir, version int, m mount, below string) []Dir {
	// Path and name of the leaf share their ends, so every step up cuts the
	// same number of bytes from both.
	path := strings.Trim(m.point, "/") + below
	name := strings.TrimSuffix(m.root, "/") + below
	for {
		d := Dir{Version: version, Path: path, Name: name}
		if d.Name == "" {
			d.Name = "/"
		}
		if !slices.ContainsFunc(dirs, func(e Dir) bool { return e.Path == d.Path }) {
			dirs = append(dirs, d)
		}
		if below == "" {
			return dirs
		}
		cut := len(below) - strings.LastIndexByte(below, '/')
		below = below[:len(below)-cut]
		path = path[:len(path)-cut]
		name = name[:len(name)-cut]
	}
}

// place says where a cgroup is, seen from a mount.
type place int

const (
	outside place = iota // surely not below the mount
	unknown
	inside
)

// locate says where the cgroup name is, seen from a mount of the cgroup root,
// and if inside, its path below the mount point: "" or "/a/b".
//
// Both are relative to the process's cgroup namespace. A cgroup that is not
// below the namespace's root is shown with leading "..": "/../b" is a sibling
// of the root, and "/.." is its parent.
func locate(root, name string) (below string, where place) {
	rootUp, rootRest, ok1 := climb(root)
	nameUp, nameRest, ok2 := climb(name)
	switch {
	case !ok1 || !ok2:
		return "", outside
	case nameUp > rootUp:
		// The process is higher up than anything that the mount shows.
		return "", outside
	case nameUp < rootUp && rootRest == "":
		// The mount shows an ancestor of the namespace's root, thus one of
		// the process. What lies between them has no name here.
		return "", inside
	case nameUp < rootUp:
		return "", unknown
	case nameRest == rootRest:
		return "", inside
	case strings.HasPrefix(nameRest, rootRest+"/"):
		return nameRest[len(rootRest):], inside
	}
	return "", unknown
}

// climb counts the leading ".." of a name and returns the rest, "" or "/a/b".
// Names that the kernel would not write are not ok.
func climb(name string) (up int, rest string, ok bool) {
	if !strings.HasPrefix(name, "/") || len(name) > maxPath {
		return 0, "", false
	}
	rest = strings.TrimSuffix(name, "/")
	for rest == "/.." || strings.HasPrefix(rest, "/../") {
		up++
		rest = rest[len("/.."):]
	}
	if rest == "" {
		return up, "", true
	}
	for part := range strings.SplitSeq(rest[1:], "/") {
		if part == "" || part == "." || part == ".." {
			return 0, "", false
		}
	}
	return up, rest, true
}
