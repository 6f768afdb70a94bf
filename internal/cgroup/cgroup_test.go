package cgroup

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// picture makes a file system of paths and contents.
func picture(files map[string]string) fstest.MapFS {
	m := make(fstest.MapFS)
	for path, data := range files {
		m[path] = &fstest.MapFile{Data: []byte(data)}
	}
	return m
}

// Mounts as systemd makes them on a machine of each kind.
const (
	mountsV2 = `22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
31 23 0:28 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot
`
	mountsHybrid = `31 23 0:28 / /sys/fs/cgroup ro,nosuid shared:9 - tmpfs tmpfs ro,mode=755
32 31 0:29 / /sys/fs/cgroup/unified rw,nosuid shared:10 - cgroup2 cgroup2 rw
33 31 0:30 / /sys/fs/cgroup/systemd rw,nosuid shared:11 - cgroup cgroup rw,xattr,name=systemd
34 31 0:31 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:12 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,nosuid shared:13 - cgroup cgroup rw,memory
36 31 0:33 / /sys/fs/cgroup/cpuset rw,nosuid shared:14 - cgroup cgroup rw,cpuset
`
)

func TestDirs(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		members string
		mounts  string
		want    string // "version path name", leaf first
	}{
		{"no files", "", "", ""},
		{"not in a cgroup", "0::/a\n", "27 1 254:0 / / rw - ext4 /dev/vda rw\n", ""},
		{"mounts unreadable", "0::/a\n", "", ""},
		{"v2", "0::/a/b\n", mountsV2, `
			2 sys/fs/cgroup/a/b /a/b
			2 sys/fs/cgroup/a /a
			2 sys/fs/cgroup /`},
		{"v2 namespace", "0::/\n", mountsV2, `
			2 sys/fs/cgroup /`},
		{"v2 without last newline", "0::/a", strings.TrimSuffix(mountsV2, "\n"), `
			2 sys/fs/cgroup/a /a
			2 sys/fs/cgroup /`},
		{"v1 beside an empty v2", "5:cpu,cpuacct:/a\n4:memory:/m\n1:name=systemd:/s\n0::/\n", mountsHybrid, `
			1 sys/fs/cgroup/cpu,cpuacct/a /a
			1 sys/fs/cgroup/cpu,cpuacct /
			2 sys/fs/cgroup/unified /`},
		{"v1 listed the other way round", "5:cpuacct,cpu:/a\n",
			"34 31 0:31 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpuacct,cpu\n", `
			1 sys/fs/cgroup/cpu/a /a
			1 sys/fs/cgroup/cpu /`},
		{"cpuset and cpuacct are not cpu", "6:cpuset:/a\n5:cpuacct:/b\n",
			mountsHybrid, ""},
		{"v1 container without namespace", "5:cpu,cpuacct:/docker/c1\n",
			"34 31 0:31 /docker/c1 /sys/fs/cgroup/cpu,cpuacct ro,nosuid master:12 - cgroup cgroup rw,cpu,cpuacct\n", `
			1 sys/fs/cgroup/cpu,cpuacct /docker/c1`},
		{"v1 container with a cgroup of its own below", "5:cpu:/kubepods/pod1/c1/job\n",
			"34 31 0:31 /kubepods/pod1 /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n", `
			1 sys/fs/cgroup/cpu/c1/job /kubepods/pod1/c1/job
			1 sys/fs/cgroup/cpu/c1 /kubepods/pod1/c1
			1 sys/fs/cgroup/cpu /kubepods/pod1`},
		{"v1 docker in docker", "5:cpu:/docker/outer/docker/inner\n",
			"34 31 0:31 /docker/outer/docker/inner /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n", `
			1 sys/fs/cgroup/cpu /docker/outer/docker/inner`},
		{"v1 docker in docker, names disagree", "5:cpu:/docker/inner\n",
			"34 31 0:31 /docker/outer/docker/inner /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n", `
			1 sys/fs/cgroup/cpu /docker/outer/docker/inner`},
		{"a sibling with the same beginning is not below", "5:cpu:/docker/c10\n",
			"34 31 0:31 /docker/c1 /mnt/c1 ro - cgroup cgroup rw,cpu\n" +
				"35 31 0:31 / /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n", `
			1 sys/fs/cgroup/cpu/docker/c10 /docker/c10
			1 sys/fs/cgroup/cpu/docker /docker
			1 sys/fs/cgroup/cpu /`},
		{"several mounts, one a part of the other", "0::/a/b\n",
			"31 23 0:28 /a /mnt/a rw - cgroup2 cgroup2 rw\n" +
				"32 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", `
			2 mnt/a/b /a/b
			2 mnt/a /a
			2 sys/fs/cgroup/a/b /a/b
			2 sys/fs/cgroup/a /a
			2 sys/fs/cgroup /`},
		{"a mount hidden by another one", "0::/a\n",
			"31 23 0:28 /x /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n" +
				"32 31 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", `
			2 sys/fs/cgroup/a /a
			2 sys/fs/cgroup /`},
		{"a cgroup hidden by tmpfs", "0::/a\n",
			"31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n" +
				"32 31 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n", ""},
		{"the host's mount seen from a namespace", "0::/\n",
			"31 23 0:28 /../.. /host/cgroup rw - cgroup2 cgroup2 rw\n", `
			2 host/cgroup /../..`},
		{"outside its namespace", "0::/../init\n", mountsV2, ""},
		{"outside its namespace, visible in another mount", "0::/../init\n",
			"31 23 0:28 /.. /host/cgroup rw - cgroup2 cgroup2 rw\n", `
			2 host/cgroup/init /../init
			2 host/cgroup /..`},
		{"escaped mount point, colon in name", "0::/a:b c\n",
			`31 23 0:28 / /mnt/my\040cgroup\134x rw - cgroup2  rw` + "\n", `
			2 mnt/my cgroup\x/a:b c /a:b c
			2 mnt/my cgroup\x /`},
		{"garbled lines between good ones", "::\nnonsense\n0:\n7:cpu:relative\n\x00\n0::/a\n",
			"- -\n1 2 3 - cgroup2\n31 23 0:28 / relative rw - cgroup2 c rw\n 1 2 3 4 5 6 - \n" + mountsV2, `
			2 sys/fs/cgroup/a /a
			2 sys/fs/cgroup /`},
		{"detours in a name", "0::/a/../b\n", mountsV2, ""},
		{"empty part in a name", "0::/a//b\n", mountsV2, ""},
		{"name too long", "0::/" + strings.Repeat("a/", 4096) + "b\n", mountsV2, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{}
			if tt.members != "" {
				files["proc/self/cgroup"] = tt.members
			}
			if tt.mounts != "" {
				files["proc/self/mountinfo"] = tt.mounts
			}
			var got strings.Builder
			for _, d := range NewTree(picture(files)).Dirs("cpu") {
				got.WriteString("\n\t\t\t" + string(rune('0'+d.Version)) + " " + d.Path + " " + d.Name)
			}
			if got.String() != tt.want {
				t.Errorf("got %s\nwant %s", got.String(), tt.want)
			}
		})
	}
}

func TestDirsFollowsTheProcess(t *testing.T) {
	t.Parallel()
	files := picture(map[string]string{
		"proc/self/cgroup":    "0::/a\n",
		"proc/self/mountinfo": mountsV2,
	})
	tree := NewTree(files)
	first := tree.Dirs("cpu")
	if again := tree.Dirs("cpu"); &again[0] != &first[0] {
		t.Error("the same cgroup was looked up twice")
	}
	files["proc/self/cgroup"] = &fstest.MapFile{Data: []byte("0::/b\n")}
	if got := tree.Dirs("cpu")[0].Name; got != "/b" {
		t.Errorf("after the move to /b: leaf is %q", got)
	}
	if got := tree.Dirs("memory")[0].Name; got != "/b" {
		t.Errorf("memory after the move to /b: leaf is %q", got)
	}
	delete(files, "proc/self/cgroup")
	if got := tree.Dirs("cpu"); got != nil {
		t.Errorf("unreadable: got %v", got)
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	tree := NewTree(picture(map[string]string{"a/full": " 12 \n", "a/empty": ""}))
	d := Dir{Path: "a"}
	for _, tt := range []struct {
		file, want string
		ok         bool
	}{{"full", "12", true}, {"empty", "", true}, {"missing", "", false}} {
		if got, ok := tree.Read(d, tt.file); string(got) != tt.want || ok != tt.ok {
			t.Errorf("Read(%s) = %q, %v; want %q, %v", tt.file, got, ok, tt.want, tt.ok)
		}
	}
}

// The tree of the machine that runs the test can be anything, but must do.
func TestSelf(t *testing.T) {
	t.Parallel()
	for _, d := range Self().Dirs("memory") {
		Self().Read(d, "memory.stat")
	}
}

func FuzzDirs(f *testing.F) {
	f.Add("0::/a/b\n", mountsV2)
	f.Add("5:cpu,cpuacct:/a\n0::/\n", mountsHybrid)
	f.Add("0::/../init\n", "31 23 0:28 /.. /host rw - cgroup2 cgroup2 rw\n")
	f.Add("5:cpu:/x\n", "34 31 0:31 /y /sys/fs/cgroup/cpu ro - cgroup  rw,cpu\n")
	f.Add("0::/a\\040b\n", `31 23 0:28 / /mnt/\777\04 rw - cgroup2 c rw`)
	f.Add("::::\n0::\n", " - - - ")
	f.Fuzz(func(t *testing.T, members, mountinfo string) {
		tree := NewTree(picture(map[string]string{
			"proc/self/cgroup":    members,
			"proc/self/mountinfo": mountinfo,
		}))
		for _, d := range tree.Dirs("cpu") {
			parts := strings.Split(d.Path, "/")
			if d.Path == "" || slices.Contains(parts, "") || slices.Contains(parts, "..") {
				t.Errorf("path %q", d.Path)
			}
			if !strings.HasPrefix(d.Name, "/") || d.Version != 1 && d.Version != 2 {
				t.Errorf("%+v", d)
			}
			tree.Read(d, "cpu.max")
		}
	})
}
