package memory

import (
	"fmt"
	"math"
	"runtime"
	"runtime/debug"
	"testing"
	"testing/fstest"
	"time"

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
		"35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
	// 1000 KiB in all, 600 of them available.
	meminfo = "MemTotal:        1000 kB\nMemFree:          10 kB\nMemAvailable:     600 kB\n"
)

// fake is a process that uses 100 KiB.
func fake(files map[string]string, u GoUse) *reader {
	fsys := picture(files)
	if u.Limit == 0 {
		u.Limit = None
	}
	r := newReader(fsys, cgroup.NewTree(fsys), func() GoUse { return u }, func() int64 { return 100 << 10 })
	r.bounds.Now = func() time.Duration { return 0 }
	return r
}

func kib(n int64) string {
	if n == None {
		return "none"
	}
	return fmt.Sprintf("%g KiB", float64(n)/1024)
}

func TestReader(t *testing.T) {
	t.Parallel()
	const (
		members = "proc/self/cgroup"
		mounts  = "proc/self/mountinfo"
		info    = "proc/meminfo"
		v2Root  = "sys/fs/cgroup/"
		v1Root  = "sys/fs/cgroup/memory/"
	)
	type files map[string]string
	tests := []struct {
		name      string
		files     files
		goUse     GoUse
		limit     string
		available string
	}{
		{name: "nothing known",
			limit: "none: no known limit", available: "none: no known limit"},
		{name: "no cgroup", files: files{info: meminfo},
			limit: "1000 KiB: the machine's memory", available: "600 KiB: the machine's memory"},
		{name: "kernel without MemAvailable", files: files{info: "MemTotal: 1000 kB\n"},
			limit: "1000 KiB: the machine's memory", available: "900 KiB: the machine's memory"},
		{name: "garbled meminfo", files: files{info: "MemTotal: lots kB\nMemAvailable:\n\xff"},
			limit: "none: no known limit", available: "none: no known limit"},
		{name: "huge meminfo", files: files{info: "MemTotal: 9223372036854775807 kB\n"},
			limit: "none: no known limit", available: "none: no known limit"},

		{name: "GOMEMLIMIT", files: files{info: meminfo},
			goUse: GoUse{Limit: 400 << 10, Held: 250 << 10, Idle: 50 << 10},
			limit: "400 KiB: GOMEMLIMIT", available: "200 KiB: GOMEMLIMIT"},
		{name: "GOMEMLIMIT above the machine's memory", files: files{info: meminfo},
			goUse: GoUse{Limit: 4000 << 10, Held: 3900 << 10},
			limit: "1000 KiB: the machine's memory", available: "100 KiB: GOMEMLIMIT"},
		{name: "GOMEMLIMIT exceeded", files: files{info: meminfo},
			goUse: GoUse{Limit: 400 << 10, Held: 500 << 10},
			limit: "400 KiB: GOMEMLIMIT", available: "0 KiB: GOMEMLIMIT"},

		{name: "v2 leaf", files: files{info: meminfo, members: "0::/a/b\n", mounts: v2,
			v2Root + "a/b/memory.max": "307200\n", v2Root + "a/b/memory.high": "max\n",
			v2Root + "a/b/memory.stat": "anon 102400\nfile 204800\nkernel 9999999\nshmem 1024\npagetables 2048\n" +
				"inactive_anon 5\nunevictable 512\nslab_reclaimable 99999\nslab_unreclaimable 1024\n"},
			limit: "300 KiB: cgroup v2 memory.max at /a/b", available: "196 KiB: cgroup v2 memory.max at /a/b"},
		{name: "v2 page cache is not in use", files: files{info: meminfo, members: "0::/a\n", mounts: v2,
			v2Root + "a/memory.max": "307200\n", v2Root + "a/memory.current": "307200\n",
			v2Root + "a/memory.stat": "anon 0\nfile 307200\nshmem 0\n"},
			limit: "300 KiB: cgroup v2 memory.max at /a", available: "300 KiB: cgroup v2 memory.max at /a"},
		{name: "v2 ancestor tighter", files: files{info: meminfo, members: "0::/a/b\n", mounts: v2,
			v2Root + "a/b/memory.max": "409600\n", v2Root + "a/b/memory.stat": "anon 0\n",
			v2Root + "a/memory.max": "204800\n", v2Root + "a/memory.stat": "anon 0\n"},
			limit: "200 KiB: cgroup v2 memory.max at /a", available: "200 KiB: cgroup v2 memory.max at /a"},
		{name: "v2 ancestor wider but fuller", files: files{info: meminfo, members: "0::/a/b\n", mounts: v2,
			v2Root + "a/b/memory.max": "204800\n", v2Root + "a/b/memory.stat": "anon 51200\n",
			v2Root + "a/memory.max": "409600\n", v2Root + "a/memory.stat": "anon 399360\n"},
			limit: "200 KiB: cgroup v2 memory.max at /a/b", available: "10 KiB: cgroup v2 memory.max at /a"},
		{name: "v2 container with a namespace", files: files{info: meminfo, members: "0::/\n", mounts: v2,
			v2Root + "memory.max": "204800\n", v2Root + "memory.stat": "anon 102400\n"},
			limit: "200 KiB: cgroup v2 memory.max at /", available: "100 KiB: cgroup v2 memory.max at /"},
		{name: "v2 memory.high below max", files: files{info: meminfo, members: "0::/a\n", mounts: v2,
			v2Root + "a/memory.max": "409600\n", v2Root + "a/memory.high": "307200\n",
			v2Root + "a/memory.stat": "anon 102400\n"},
			limit: "300 KiB: cgroup v2 memory.high at /a", available: "200 KiB: cgroup v2 memory.high at /a"},
		{name: "v2 memory.high of an ancestor", files: files{info: meminfo, members: "0::/a/b\n", mounts: v2,
			v2Root + "a/b/memory.max": "409600\n", v2Root + "a/b/memory.stat": "anon 0\n",
			v2Root + "a/memory.high": "307200\n", v2Root + "a/memory.stat": "anon 0\n"},
			limit: "300 KiB: cgroup v2 memory.high at /a", available: "300 KiB: cgroup v2 memory.high at /a"},
		{name: "v2 over its limit", files: files{info: meminfo, members: "0::/a\n", mounts: v2,
			v2Root + "a/memory.high": "102400\n", v2Root + "a/memory.stat": "anon 204800\n"},
			limit: "100 KiB: cgroup v2 memory.high at /a", available: "0 KiB: cgroup v2 memory.high at /a"},
		{name: "v2 stat unreadable: at least this process", files: files{info: meminfo, members: "0::/a\n", mounts: v2,
			v2Root + "a/memory.max": "307200\n"},
			limit: "300 KiB: cgroup v2 memory.max at /a", available: "200 KiB: cgroup v2 memory.max at /a"},
		{name: "v2 locked memory counts once", files: files{info: meminfo, members: "0::/a\n", mounts: v2,
			v2Root + "a/memory.max": "307200\n", v2Root + "a/memory.stat": "anon 102400\nshmem 0\nunevictable 103424\n"},
			limit: "300 KiB: cgroup v2 memory.max at /a", available: "199 KiB: cgroup v2 memory.max at /a"},
		{name: "v2 max, empty, zero and missing", files: files{info: meminfo, members: "0::/a/b/c/d\n", mounts: v2,
			v2Root + "a/b/c/memory.max": "max\n", v2Root + "a/b/memory.max": "", v2Root + "a/memory.max": "0\n"},
			limit: "1000 KiB: the machine's memory", available: "600 KiB: the machine's memory"},

		{name: "v1", files: files{info: meminfo, members: "5:memory:/a\n0::/\n", mounts: v1,
			v1Root + "a/memory.limit_in_bytes": "307200\n",
			v1Root + "a/memory.stat": "cache 204800\nrss 1024\nshmem 0\nunevictable 0\n" +
				"hierarchical_memory_limit 307200\ntotal_cache 204800\ntotal_rss 51200\ntotal_shmem 1024\ntotal_unevictable 10\n"},
			limit:     "300 KiB: cgroup v1 memory.limit_in_bytes at /a",
			available: "249 KiB: cgroup v1 memory.limit_in_bytes at /a"},
		{name: "v1 stat without totals", files: files{info: meminfo, members: "5:memory:/a\n", mounts: v1,
			v1Root + "a/memory.limit_in_bytes": "307200\n",
			v1Root + "a/memory.stat":           "cache 204800\nrss 51200\nshmem 1024\n"},
			limit:     "300 KiB: cgroup v1 memory.limit_in_bytes at /a",
			available: "249 KiB: cgroup v1 memory.limit_in_bytes at /a"},
		{name: "v1 huge numbers are none", files: files{info: meminfo, members: "5:memory:/a/b/c\n", mounts: v1,
			v1Root + "a/b/c/memory.limit_in_bytes": "9223372036854771712\n",
			v1Root + "a/b/memory.limit_in_bytes":   "18446744073709551615\n",
			v1Root + "a/memory.limit_in_bytes":     "9223372036854710272\n",
			v1Root + "memory.limit_in_bytes":       "-1\n",
			v1Root + "a/b/c/memory.stat":           "rss 0\nhierarchical_memory_limit 9223372036854771712\n"},
			limit: "1000 KiB: the machine's memory", available: "600 KiB: the machine's memory"},
		{name: "v1 ancestor tighter", files: files{info: meminfo, members: "5:memory:/a/b\n", mounts: v1,
			v1Root + "a/b/memory.limit_in_bytes": "9223372036854771712\n",
			v1Root + "a/memory.limit_in_bytes":   "204800\n", v1Root + "a/memory.stat": "total_rss 102400\n"},
			limit:     "200 KiB: cgroup v1 memory.limit_in_bytes at /a",
			available: "100 KiB: cgroup v1 memory.limit_in_bytes at /a"},
		{name: "v1 limit above what the container sees", files: files{info: meminfo, members: "5:memory:/pod/c\n",
			mounts:                           "35 31 0:32 /pod/c /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
			v1Root + "memory.limit_in_bytes": "409600\n",
			v1Root + "memory.stat":           "total_rss 102400\nhierarchical_memory_limit 307200\n"},
			limit:     "300 KiB: cgroup v1 hierarchical_memory_limit at /pod/c",
			available: "200 KiB: cgroup v1 hierarchical_memory_limit at /pod/c"},
		{name: "v1 docker in docker", files: files{info: meminfo, members: "5:memory:/docker/o/docker/i\n",
			mounts:                           "35 31 0:32 /docker/o/docker/i /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
			v1Root + "memory.limit_in_bytes": "204800\n", v1Root + "memory.stat": "total_rss 0\n"},
			limit:     "200 KiB: cgroup v1 memory.limit_in_bytes at /docker/o/docker/i",
			available: "200 KiB: cgroup v1 memory.limit_in_bytes at /docker/o/docker/i"},
		{name: "hybrid, the limit in version 2", files: files{info: meminfo, members: "1:name=systemd:/a\n0::/a\n", mounts: v1,
			"sys/fs/cgroup/unified/a/memory.max": "204800\n", "sys/fs/cgroup/unified/a/memory.stat": "anon 102400\n"},
			limit: "200 KiB: cgroup v2 memory.max at /a", available: "100 KiB: cgroup v2 memory.max at /a"},
		{name: "garbage", files: files{info: meminfo, members: "\xff\x00:::\n0::/a\n", mounts: "\xff - \n" + v2,
			v2Root + "a/memory.max": "a lot\n", v2Root + "a/memory.high": "\x00", v2Root + "a/memory.stat": "anon\n\xff\nanon x\n"},
			limit: "1000 KiB: the machine's memory", available: "600 KiB: the machine's memory"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if runtime.GOOS == "darwin" && tt.files[info] != meminfo {
				t.Skip("the machine's memory comes from elsewhere")
			}
			r := fake(tt.files, tt.goUse)
			n, source := r.limit()
			if got := kib(n) + ": " + source; got != tt.limit {
				t.Errorf("limit\ngot  %s\nwant %s", got, tt.limit)
			}
			n, source = r.available()
			if got := kib(n) + ": " + source; got != tt.available {
				t.Errorf("available\ngot  %s\nwant %s", got, tt.available)
			}
		})
	}
}

// A limit that is changed under a running process takes effect.
func TestReaderFollowsLimit(t *testing.T) {
	t.Parallel()
	files := picture(map[string]string{
		"proc/self/cgroup":         "0::/\n",
		"proc/self/mountinfo":      v2,
		"sys/fs/cgroup/memory.max": "204800\n",
	})
	var now time.Duration
	r := newReader(files, cgroup.NewTree(files), func() GoUse { return GoUse{Limit: None} }, func() int64 { return 0 })
	r.bounds.Now = func() time.Duration { return now }
	if n, _ := r.limit(); n != 204800 {
		t.Errorf("at first: %d", n)
	}
	files["sys/fs/cgroup/memory.max"] = &fstest.MapFile{Data: []byte("102400\n")}
	if n, _ := r.limit(); n != 204800 {
		t.Errorf("while fresh: %d", n)
	}
	now += cgroup.MaxAge
	if n, _ := r.limit(); n != 102400 {
		t.Errorf("after a second: %d", n)
	}
}

func TestGo(t *testing.T) {
	runtime.GC()
	block := make([]byte, 64<<20)
	before := Go()
	if before.Objects < 64<<20 || before.Held < before.Objects {
		t.Errorf("with 64 MiB allocated: %+v", before)
	}
	if before.Live == 0 || before.Live > before.Held {
		t.Errorf("after a collection: %+v", before)
	}
	runtime.KeepAlive(block)
	debug.FreeOSMemory()
	if after := Go(); after.Held > before.Held-32<<20 {
		t.Errorf("64 MiB given back, but held went from %d to %d", before.Held, after.Held)
	}

	old := debug.SetMemoryLimit(123 << 30)
	if got := Go().Limit; got != 123<<30 {
		t.Errorf("limit is %d, want %d", got, 123<<30)
	}
	debug.SetMemoryLimit(math.MaxInt64)
	if got := Go().Limit; got != None {
		t.Errorf("without a limit it is %d", got)
	}
	debug.SetMemoryLimit(old)

	if n := testing.AllocsPerRun(100, func() { Go() }); n != 0 {
		t.Errorf("Go allocates %v times", n)
	}
}

// What the machine that runs the test says must at least be possible.
func TestProcess(t *testing.T) {
	limit, source := Limit()
	room, why := Available()
	rss := RSS()
	t.Logf("limit %d (%s), available %d (%s), RSS %d, Go %d", limit, source, room, why, rss, Go().Held)
	if limit <= 0 || room < 0 || source == "" || why == "" {
		t.Error("impossible limit")
	}
	if rss < 1<<20 || rss > limit {
		t.Error("impossible RSS")
	}
	if Go().Held < 1<<20 {
		t.Error("impossible use of memory")
	}
	if n := testing.AllocsPerRun(100, func() { RSS() }); n != 0 && !raceOn {
		t.Errorf("RSS allocates %v times", n)
	}
	// One call may fall on the second in which the limits are read anew.
	if n := testing.AllocsPerRun(1000, func() { Limit() }); n >= 1 {
		t.Errorf("Limit allocates %v times when fresh", n)
	}
}

func TestRSSGrows(t *testing.T) {
	debug.FreeOSMemory() // or the block may go where an earlier one was
	before := RSS()
	block := make([]byte, 64<<20)
	for i := 0; i < len(block); i += 4096 {
		block[i] = 1
	}
	if after := RSS(); after < before+48<<20 {
		t.Errorf("64 MiB touched, RSS went from %d to %d", before, after)
	}
	runtime.KeepAlive(block)
}

func FuzzLimit(f *testing.F) {
	for _, s := range []string{"", "max", "0", "-1", "1048576", "9223372036854771712", "18446744073709551615", "1e9", "\xff"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if n := parseLimit(data); n <= 0 {
			t.Errorf("parseLimit(%q) = %d", data, n)
		}
	})
}

func FuzzStat(f *testing.F) {
	f.Add([]byte("anon 1\nshmem 2\nunevictable 3\n"))
	f.Add([]byte("rss 1\ntotal_rss 2\nhierarchical_memory_limit 9223372036854771712\n"))
	f.Add([]byte("anon 9223372036854775807\nanon 9223372036854775807\nshmem 1"))
	f.Add([]byte("anon\nanon x\n\n anon 5 6\nanon -1"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s := parseStat(data)
		for _, n := range []int64{s.v2, s.local, s.total, s.unevictable, s.totalUnevictable} {
			if n < 0 {
				t.Errorf("parseStat(%q) = %+v", data, s)
			}
		}
		if s.above <= 0 {
			t.Errorf("parseStat(%q): a limit of %d", data, s.above)
		}
	})
}

func FuzzMeminfo(f *testing.F) {
	f.Add([]byte(meminfo))
	f.Add([]byte("MemTotal: 9007199254740991 kB"))
	f.Add([]byte("MemTotal:\nMemTotal: -5 kB"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if n := parseMeminfo(data, "MemTotal:"); n < 0 {
			t.Errorf("parseMeminfo(%q) = %d", data, n)
		}
	})
}

func BenchmarkLimit(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Limit()
	}
}

func BenchmarkAvailable(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Available()
	}
}

func BenchmarkReadBounds(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		process.readBounds()
	}
}

func BenchmarkGo(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Go()
	}
}

func BenchmarkRSS(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		RSS()
	}
}
