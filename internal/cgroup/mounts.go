package cgroup

import (
	"slices"
	"strings"
)

// mount is one cgroup file system of /proc/self/mountinfo.
type mount struct {
	version     int    // 1 or 2
	root        string // the cgroup that the mount point shows
	point       string // the directory where it is mounted
	controllers string // version 1: the options, controllers among them
}

func (m mount) has(version int, controller string) bool {
	return m.version == version && (version == 2 || listHas(m.controllers, controller))
}

// parseMounts returns the cgroup mounts in the order of the file. A line is
//
//	36 35 0:29 /root /point rw,relatime shared:1 - cgroup source rw,cpu,cpuacct
//
// with any number of fields before the dash, and a source that may be empty.
func parseMounts(mountinfo string) []mount {
	type hole struct{ parent, point string }
	var (
		mounts []mount
		ids    []string
		covers = make(map[hole]bool)
	)
	for line := range strings.Lines(mountinfo) {
		left, right, ok := strings.Cut(line, " - ")
		if !ok {
			continue
		}
		l, r := strings.Fields(left), strings.Fields(right)
		if len(l) < 6 || len(r) < 1 {
			continue
		}
		covers[hole{l[1], l[4]}] = true
		m := mount{root: unescape(l[3]), point: unescape(l[4])}
		switch r[0] {
		case "cgroup":
			m.version = 1
			m.controllers = r[len(r)-1]
		case "cgroup2":
			m.version = 2
		default:
			continue
		}
		if !plain(m.point) || len(m.root) > maxPath {
			continue
		}
		mounts = append(mounts, m)
		ids = append(ids, l[0]+" "+l[4])
	}
	// A file system that is mounted on the root of another one hides it:
	// its path then leads to something else.
	i := 0
	return slices.DeleteFunc(mounts, func(mount) bool {
		id, point, _ := strings.Cut(ids[i], " ")
		i++
		return covers[hole{id, point}]
	})
}

// plain reports whether p is an absolute path without detours, and not "/".
func plain(p string) bool {
	up, rest, ok := climb(p)
	return ok && up == 0 && rest != ""
}

// listHas reports whether a comma-separated list has the word.
func listHas(list, word string) bool {
	for w := range strings.SplitSeq(list, ",") {
		if w == word {
			return true
		}
	}
	return false
}

// unescape undoes the kernel's \ooo for space, tab, newline and backslash.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) && s[i+1] <= '3' && octal(s[i+1]) && octal(s[i+2]) && octal(s[i+3]) {
			b.WriteByte((s[i+1]-'0')<<6 | (s[i+2]-'0')<<3 | (s[i+3] - '0'))
			i += 3
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func octal(c byte) bool { return '0' <= c && c <= '7' }
