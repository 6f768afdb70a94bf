package cpus

import (
	"fmt"
	"math"
	"runtime"
	"testing"
	"testing/fstest"

	"github.com/weft-go/weft/internal/cgroup"
)

func picture(files map[string]string) fstest.MapFS {
	m := make(fstest.MapFS)
	for path, data := range files {
		m[path] = &fstest.MapFile{Data: []byte(data)}
	}
	return m
}

const (
	v2 = "31 23 0:28 / /sys/fs/cgroup rw shared:9 - cgroup2 cgroup2 rw\n"
	v1 = "32 31 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n" +
		"34 31 0:31 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
)

// J12, M7: the count is right in containers of every kind, with files that are
// empty or missing, with limits of ancestors, and under an affinity mask.
func TestRead(t *testing.T) {
	t.Parallel()
	const (
		members = "proc/self/cgroup"
		mounts  = "proc/self/mountinfo"
		v2Root  = "sys/fs/cgroup/"
		v1Root  = "sys/fs/cgroup/cpu,cpuacct/"
	)
	type files map[string]string
	tests := []struct {
		name       string
		files      files
		affinity   int // 8 if 0
		gomaxprocs int // affinity if 0
		want       string
	}{
		{name: "no cgroup",
			want: "8 of 8, quota 0: CPU affinity"},
		{name: "affinity unknown", affinity: -1,
			want: "1 of 1, quota 0: CPU affinity"},
		{name: "GOMAXPROCS lowered", gomaxprocs: 3,
			want: "3 of 8, quota 0: GOMAXPROCS"},
		{name: "GOMAXPROCS raised", gomaxprocs: 64,
			want: "8 of 8, quota 0: CPU affinity"},

		{name: "v2 leaf", files: files{members: "0::/a/b\n", mounts: v2,
			v2Root + "a/b/cpu.max": "150000 100000\n", v2Root + "a/cpu.max": "max 100000\n"},
			want: "2 of 8, quota 1.5: cgroup v2 quota 1.5 at /a/b"},
		{name: "v2 ancestor tighter than leaf", files: files{members: "0::/a/b/c\n", mounts: v2,
			v2Root + "a/b/c/cpu.max": "400000 100000\n", v2Root + "a/cpu.max": "200000 100000\n"},
			want: "2 of 8, quota 2: cgroup v2 quota 2 at /a"},
		// golang/go#81180.
		{name: "v2 ancestor limited, leaf not, Go looked at the leaf", gomaxprocs: 8,
			files: files{members: "0::/pod/init\n", mounts: v2,
				v2Root + "pod/init/cpu.max": "max 100000\n", v2Root + "pod/cpu.max": "200000 100000\n"},
			want: "2 of 8, quota 2: cgroup v2 quota 2 at /pod"},
		{name: "v2 ancestor looser than leaf", files: files{members: "0::/a/b\n", mounts: v2,
			v2Root + "a/b/cpu.max": "100000 50000\n", v2Root + "a/cpu.max": "800000 100000\n"},
			want: "2 of 8, quota 2: cgroup v2 quota 2 at /a/b"},
		{name: "v2 equal quotas name the leaf", files: files{members: "0::/a/b\n", mounts: v2,
			v2Root + "a/b/cpu.max": "300000 100000\n", v2Root + "a/cpu.max": "300000 100000\n"},
			want: "3 of 8, quota 3: cgroup v2 quota 3 at /a/b"},
		{name: "v2 container with a namespace", files: files{members: "0::/\n", mounts: v2,
			v2Root + "cpu.max": "300000 100000\n"},
			want: "3 of 8, quota 3: cgroup v2 quota 3 at /"},
		{name: "v2 max", files: files{members: "0::/a\n", mounts: v2,
			v2Root + "a/cpu.max": "max 100000\n"},
			want: "8 of 8, quota 0: CPU affinity"},
		{name: "v2 empty cpu.max", files: files{members: "0::/a\n", mounts: v2,
			v2Root + "a/cpu.max": ""},
			want: "8 of 8, quota 0: CPU affinity"},
		{name: "v2 empty leaf, limited parent", files: files{members: "0::/a/b\n", mounts: v2,
			v2Root + "a/b/cpu.max": "\n", v2Root + "a/cpu.max": "400000 100000\n"},
			want: "4 of 8, quota 4: cgroup v2 quota 4 at /a"},
		{name: "v2 leaf hidden, limited parent", files: files{members: "0::/a/b\n", mounts: v2,
			v2Root + "a/cpu.max": "400000 100000\n"},
			want: "4 of 8, quota 4: cgroup v2 quota 4 at /a"},
		{name: "v2 one field is microseconds of the default period", files: files{members: "0::/a\n", mounts: v2,
			v2Root + "a/cpu.max": "250000\n"},
			want: "3 of 8, quota 2.5: cgroup v2 quota 2.5 at /a"},
		{name: "v2 quota wider than affinity", affinity: 2, files: files{members: "0::/a\n", mounts: v2,
			v2Root + "a/cpu.max": "400000 100000\n"},
			want: "2 of 2, quota 4: CPU affinity"},
		{name: "v2 quota rounds to affinity", affinity: 2, files: files{members: "0::/a\n", mounts: v2,
			v2Root + "a/cpu.max": "150000 100000\n"},
			want: "2 of 2, quota 1.5: CPU affinity"},
		{name: "v2 quota below Go's floor of 2", gomaxprocs: 2, files: files{members: "0::/a\n", mounts: v2,
			v2Root + "a/cpu.max": "50000 100000\n"},
			want: "1 of 8, quota 0.5: cgroup v2 quota 0.5 at /a"},
		{name: "v2 quota that Go rounds up", gomaxprocs: 4, files: files{members: "0::/a\n", mounts: v2,
			v2Root + "a/cpu.max": "333333 100000\n"},
			want: "3 of 8, quota 3.33333: cgroup v2 quota 3.33 at /a"},
		{name: "GOMAXPROCS below the quota", gomaxprocs: 2, files: files{members: "0::/a\n", mounts: v2,
			v2Root + "a/cpu.max": "400000 100000\n"},
			want: "2 of 8, quota 4: GOMAXPROCS"},

		{name: "v1", files: files{members: "5:cpu,cpuacct:/a\n0::/\n", mounts: v1,
			v1Root + "a/cpu.cfs_quota_us": "200000\n", v1Root + "a/cpu.cfs_period_us": "100000\n"},
			want: "2 of 8, quota 2: cgroup v1 quota 2 at /a"},
		{name: "v1 without quota", files: files{members: "5:cpu,cpuacct:/a\n", mounts: v1,
			v1Root + "a/cpu.cfs_quota_us": "-1\n", v1Root + "a/cpu.cfs_period_us": "100000\n"},
			want: "8 of 8, quota 0: CPU affinity"},
		{name: "v1 ancestor tighter", files: files{members: "5:cpu,cpuacct:/a/b\n", mounts: v1,
			v1Root + "a/b/cpu.cfs_quota_us": "-1\n", v1Root + "a/b/cpu.cfs_period_us": "100000\n",
			v1Root + "a/cpu.cfs_quota_us": "150000\n", v1Root + "a/cpu.cfs_period_us": "50000\n"},
			want: "3 of 8, quota 3: cgroup v1 quota 3 at /a"},
		{name: "v1 missing period", files: files{members: "5:cpu,cpuacct:/a\n", mounts: v1,
			v1Root + "a/cpu.cfs_quota_us": "200000\n"},
			want: "2 of 8, quota 2: cgroup v1 quota 2 at /a"},
		{name: "v1 garbled period", files: files{members: "5:cpu,cpuacct:/a\n", mounts: v1,
			v1Root + "a/cpu.cfs_quota_us": "200000\n", v1Root + "a/cpu.cfs_period_us": "\n"},
			want: "8 of 8, quota 0: CPU affinity"},
		{name: "v1 zero period", files: files{members: "5:cpu,cpuacct:/a\n", mounts: v1,
			v1Root + "a/cpu.cfs_quota_us": "200000\n", v1Root + "a/cpu.cfs_period_us": "0\n"},
			want: "8 of 8, quota 0: CPU affinity"},
		// golang/go#76390: the mount shows the container's own cgroup, so the
		// path in proc/self/cgroup is no path below the mount point. Go's own
		// detection put the two together and found nothing: GOMAXPROCS stayed
		// at all CPUs.
		{name: "v1 mount of a container's own cgroup", files: files{members: "11:cpuset:/docker/c\n5:cpuacct,cpu:/docker/c\n",
			mounts: "396 394 0:21 /docker/c /sys/fs/cgroup/cpuacct,cpu ro,nosuid master:11 - cgroup cgroup rw,cpuacct,cpu\n",
			"sys/fs/cgroup/cpuacct,cpu/cpu.cfs_quota_us":  "100000\n",
			"sys/fs/cgroup/cpuacct,cpu/cpu.cfs_period_us": "100000\n"},
			want: "1 of 8, quota 1: cgroup v1 quota 1 at /docker/c"},
		{name: "v1 docker in docker", files: files{members: "5:cpu,cpuacct:/docker/o/docker/i\n",
			mounts:                        "34 31 0:31 /docker/o/docker/i /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n",
			v1Root + "cpu.cfs_quota_us":   "100000\n",
			v1Root + "cpu.cfs_period_us":  "100000\n",
			"docker/o/docker/i/unrelated": ""},
			want: "1 of 8, quota 1: cgroup v1 quota 1 at /docker/o/docker/i"},
		{name: "hybrid, the quota in version 2", files: files{members: "1:name=systemd:/a\n0::/a\n", mounts: v1,
			"sys/fs/cgroup/unified/a/cpu.max": "200000 100000\n"},
			want: "2 of 8, quota 2: cgroup v2 quota 2 at /a"},
		{name: "garbage", files: files{members: "\xff\x00:::\n0::/a\n", mounts: "\xff - \n" + v2,
			v2Root + "a/cpu.max": "many few\n", v2Root + "cpu.max": "\x00\xff 1 2 3"},
			want: "8 of 8, quota 0: CPU affinity"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.affinity == 0 {
				tt.affinity = 8
			}
			if tt.gomaxprocs == 0 {
				tt.gomaxprocs = tt.affinity
			}
			i := machine{
				tree:       cgroup.NewTree(picture(tt.files)),
				affinity:   func() int { return tt.affinity },
				gomaxprocs: func() int { return tt.gomaxprocs },
			}.read()
			if i.Source == affinitySource {
				i.Source = "CPU affinity" // named otherwise where there is none
			}
			got := fmt.Sprintf("%d of %d, quota %.6g: %s", i.Effective, i.Affinity, i.Quota, i.Source)
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestRound(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		quota float64
		want  int
	}{
		{0, 1}, {0.01, 1}, {0.99, 1}, {1, 1}, {1.2, 1}, {1.49, 1}, {1.5, 2}, {2, 2}, {2.4, 2}, {2.5, 3},
		{7.4, 7}, {7.6, 8}, {1e300, math.MaxInt32}, {math.Inf(1), math.MaxInt32}, {math.NaN(), 1}, {-3, 1},
	} {
		if got := Round(tt.quota); got != tt.want {
			t.Errorf("Round(%g) = %d, want %d", tt.quota, got, tt.want)
		}
	}
}

func TestWorkers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ n, effective, want int }{
		{1, 8, 1}, {5, 8, 5}, {100, 2, 100},
		{-1, 1, 1}, {-1, 2, 2}, {-1, 64, 64},
		{-2, 1, 1}, {-2, 2, 1}, {-2, 8, 7}, {-9, 8, 1}, {math.MinInt, 8, 1},
		{0, 1, 1}, {0, 2, 2}, {0, 3, 2}, {0, 4, 3}, {0, 8, 7}, {0, 9, 7}, {0, 64, 62},
		{0, 0, 1}, {-1, 0, 1}, {-2, -5, 1}, // the zero Info
	} {
		if got := Workers(tt.n, Info{Effective: tt.effective}); got != tt.want {
			t.Errorf("Workers(%d) of %d CPUs = %d, want %d", tt.n, tt.effective, got, tt.want)
		}
	}
}

func TestGet(t *testing.T) {
	i := Get()
	if i.Effective < 1 || i.Effective > i.Affinity || i.Affinity > runtime.NumCPU()*2 || i.Source == "" {
		t.Errorf("%+v", i)
	}
	t.Logf("%+v", i)
	// One call may fall on the second in which the value is read anew.
	if n := testing.AllocsPerRun(1000, func() { Get() }); n >= 1 {
		t.Errorf("Get allocates %v times when fresh", n)
	}
}

func FuzzQuota(f *testing.F) {
	for _, s := range []string{"", "max", "max 100000", "150000 100000\n", "250000", "-1", "0 0", "1 2 3",
		"9223372036854775807 1", "1 9223372036854775807", "99999999999999999999 100000", "1e5 100000", "\xff"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		q := parseMax(data)
		if q < 0 || math.IsNaN(q) || math.IsInf(q, 0) {
			t.Errorf("parseMax(%q) = %v", data, q)
		}
		if n := Round(q); n < 1 {
			t.Errorf("Round(%v) = %d", q, n)
		}
	})
}

func BenchmarkGet(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Get()
	}
}

// BenchmarkRead is what one caller a second pays.
func BenchmarkRead(b *testing.B) {
	m := machine{tree: cgroup.Self(), affinity: affinity, gomaxprocs: func() int { return runtime.GOMAXPROCS(0) }}
	b.ReportAllocs()
	for b.Loop() {
		m.read()
	}
}
