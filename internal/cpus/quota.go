package cpus

import (
	"bytes"
	"strconv"

	"github.com/weft-go/weft/internal/cgroup"
)

// tightest returns the lowest CPU quota on the way from the process's cgroup
// to the root, and whose it is. It returns 0 if there is none. Of equal quotas
// it names the one closest to the process.
func tightest(t *cgroup.Tree) (float64, cgroup.Dir) {
	var (
		low float64
		at  cgroup.Dir
	)
	for _, d := range t.Dirs("cpu") {
		if q := quota(t, d); q > 0 && (low == 0 || q < low) {
			low, at = q, d
		}
	}
	return low, at
}

// quota returns the quota of one cgroup in CPUs, 0 if it has none.
func quota(t *cgroup.Tree, d cgroup.Dir) float64 {
	if d.Version == 2 {
		data, _ := t.Read(d, "cpu.max")
		return parseMax(data)
	}
	used, _ := t.Read(d, "cpu.cfs_quota_us")
	period, ok := t.Read(d, "cpu.cfs_period_us")
	if !ok {
		period = []byte(defaultPeriod)
	}
	return ratio(used, period)
}

// defaultPeriod is the kernel's period in microseconds. It stands in for one
// that is not given; one that is given but garbled makes the quota garbled.
const defaultPeriod = "100000"

// parseMax reads a version 2 cpu.max: "150000 100000" are 1.5 CPUs, and "max"
// instead of the first number is no quota.
func parseMax(data []byte) float64 {
	f := bytes.Fields(data)
	switch len(f) {
	case 1:
		return ratio(f[0], []byte(defaultPeriod))
	case 2:
		return ratio(f[0], f[1])
	}
	return 0
}

// ratio divides two numbers of microseconds. Unless both are above zero there
// is no quota: version 1 says -1 for none, and the rest is garbage.
func ratio(quota, period []byte) float64 {
	q, err1 := strconv.ParseInt(string(quota), 10, 64)
	p, err2 := strconv.ParseInt(string(period), 10, 64)
	if err1 != nil || err2 != nil || q <= 0 || p <= 0 {
		return 0
	}
	return float64(q) / float64(p)
}
