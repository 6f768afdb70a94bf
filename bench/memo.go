package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/weft-go/weft/memo"
)

// memoBenchmark measures the package memo, beside joblib.Memory where that
// does the same.
var memoBenchmark = sectionBenchmark("memo",
	"hits, misses, hashing, mapping and trimming, beside joblib.Memory",
	"Memo: results on disk", 5, measureMemo)

// memoHelper is one process of several that share a cache, or one that opens a
// large one.
var memoHelper = benchmark{name: "memo-helper", hidden: true, run: runMemoHelper}

type summary struct {
	Index int
	Name  string
	Mean  float64
}

func summarize(_ context.Context, i int) (summary, error) {
	return summary{i, "item " + strconv.Itoa(i), float64(i) / 3}, nil
}

func manyFloats(_ context.Context, n int) ([]float64, error) {
	out := make([]float64, n)
	for i := range out {
		out[i] = float64(i)
	}
	return out, nil
}

func lengthOf(_ context.Context, x []float64) (int, error) { return len(x), nil }

// busy takes a millisecond of CPU.
func busy(_ context.Context, n int) (int, error) {
	for begin := time.Now(); time.Since(begin) < time.Millisecond; {
		n += n % 3
	}
	return n, nil
}

// memoRow is a line of the section.
type memoRow struct {
	name   string
	aim    string
	joblib string // what memo.py does for it, "" if nothing
	args   func(dir string) []string
	run    func(ctx context.Context, dir string) (time.Duration, error)
	unit   func(d time.Duration) string
}

const bigBytes = 256 << 20

func micros(d time.Duration) string { return fmt.Sprintf("%.1f us", float64(d)/1e3) }
func millis(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d)/1e6) }

func measureMemo(ctx context.Context, o sectionOptions) (string, error) {
	temp, err := os.MkdirTemp("", "weft-bench-memo-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(temp)
	calls, big := 2000, bigBytes
	if o.quick {
		calls, big, o.rounds = 100, 8<<20, 1
	}
	n := strconv.Itoa
	rows := []memoRow{
		{"hit, small result", "30 us; 10 x less than joblib", "hit", func(d string) []string { return []string{d, n(calls)} },
			func(ctx context.Context, dir string) (time.Duration, error) { return timeHits(ctx, dir, calls) }, micros},
		{"miss, over the function's own time", "150 us; 10 x less than joblib", "miss", func(d string) []string { return []string{d, n(calls)} },
			func(ctx context.Context, dir string) (time.Duration, error) { return timeMisses(ctx, dir, calls) }, micros},
		{"key of a " + n(big>>20) + " MiB slice", fmt.Sprintf("%.0f ms (2 GB/s)", float64(big)/2e6), "hash", func(string) []string { return []string{n(big)} },
			func(ctx context.Context, dir string) (time.Duration, error) { return timeHash(ctx, dir, big) }, millis},
		{"load of a " + n(big>>20) + " MiB slice, mapped", "1 ms", "load", func(d string) []string { return []string{d, n(big)} },
			func(ctx context.Context, dir string) (time.Duration, error) { return timeLoad(ctx, dir, big) }, millis},
		{"code of a module of 200 files (48,000 lines), at the first start of a binary", "50 ms", "", nil,
			func(ctx context.Context, dir string) (time.Duration, error) { return timeCode(ctx, dir, true) }, millis},
		{"the same, at each later start", "50 ms", "", nil,
			func(ctx context.Context, dir string) (time.Duration, error) { return timeCode(ctx, dir, false) }, millis},
	}
	py, err := findPython(filepath.Join("bench", "peers"))
	noPython := ""
	if err != nil {
		noPython = err.Error()
	} else {
		defer py.close()
	}
	var b strings.Builder
	b.WriteString("Both sides in turns, each timing in a new directory, and nothing removed before the end, as ext4 makes files slowly for minutes after many were removed; the median over the rounds of the median of the calls. " +
		"The small result is a struct of three fields, a dictionary in Python, found or computed by an integer. " +
		"joblib runs with `verbose=0`, and with `mmap_mode=\"r\"` where results are mapped. ")
	if py != nil {
		interpreter, libraries := py.versions(ctx)
		for _, l := range strings.Split(libraries, ", ") {
			if strings.HasPrefix(l, "joblib==") || strings.HasPrefix(l, "numpy==") {
				interpreter += ", " + l
			}
		}
		b.WriteString(interpreter + ".")
	} else {
		b.WriteString("**joblib did not run**: " + noPython + ".")
	}
	b.WriteString("\n\n| what | memo | joblib.Memory | joblib / memo | aim |\n|---|---:|---:|---:|---|\n")
	for i, r := range rows {
		if name, _, _ := strings.Cut(r.name, ","); !o.wants(name) {
			continue
		}
		var ours, theirs []time.Duration
		for round := range o.rounds {
			if ctx.Err() != nil {
				return "", context.Cause(ctx)
			}
			dir := filepath.Join(temp, fmt.Sprintf("go-%d-%d", i, round))
			runtime.GC()
			d, err := r.run(ctx, dir)
			if err != nil {
				return "", fmt.Errorf("%s: %w", r.name, err)
			}
			ours = append(ours, d)
			if py == nil || r.joblib == "" {
				continue
			}
			dir = filepath.Join(temp, fmt.Sprintf("py-%d-%d", i, round))
			d, err = py.memo(ctx, append([]string{r.joblib}, r.args(dir)...)...)
			if err != nil {
				return "", fmt.Errorf("%s with joblib: %w", r.name, err)
			}
			theirs = append(theirs, d)
		}
		their, ratio := "-", "-"
		if len(theirs) > 0 {
			their = r.unit(median(theirs))
			ratio = fmt.Sprintf("%.1f", float64(median(theirs))/float64(median(ours)))
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", r.name, r.unit(median(ours)), their, ratio, r.aim)
	}
	for _, part := range []func(context.Context, string, sectionOptions) (string, error){manyEntries, manyProcesses} {
		text, err := part(ctx, temp, o)
		if err != nil {
			return "", err
		}
		b.WriteString(text)
	}
	return b.String(), nil
}

// memo runs memo.py.
func (p *python) memo(ctx context.Context, args ...string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, pythonTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.interpreter(), append([]string{filepath.Join(p.dir, "memo.py")}, args...)...)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return 0, fmt.Errorf("%w: %s", err, lastLine(complaint.String()))
	}
	var row struct{ Seconds float64 }
	if err := json.Unmarshal(out, &row); err != nil || row.Seconds <= 0 {
		return 0, fmt.Errorf("memo.py printed %q: %w", out, err)
	}
	return fromSeconds(row.Seconds), nil
}

// eachCall times n calls and returns the median.
func eachCall(n int, f func(i int) error) (time.Duration, error) {
	times := make([]time.Duration, n)
	for i := range times {
		begin := time.Now()
		if err := f(i); err != nil {
			return 0, err
		}
		times[i] = time.Since(begin)
	}
	return median(times), nil
}

// inCache opens a cache in dir for f.
func inCache(dir string, cfg memo.Config, f func(c *memo.Cache) (time.Duration, error)) (time.Duration, error) {
	c, err := memo.Open(dir, cfg)
	if err != nil {
		return 0, err
	}
	d, err := f(c)
	return d, errors.Join(err, c.Close())
}

func timeHits(ctx context.Context, dir string, n int) (time.Duration, error) {
	return inCache(dir, memo.Config{}, func(c *memo.Cache) (time.Duration, error) {
		f := memo.Wrap(c, summarize)
		for i := range 100 {
			if _, err := f(ctx, i); err != nil {
				return 0, err
			}
		}
		return eachCall(n, func(i int) error {
			s, err := f(ctx, i%100)
			if s.Index != i%100 {
				return errors.Join(err, errors.New("another result"))
			}
			return err
		})
	})
}

func timeMisses(ctx context.Context, dir string, n int) (time.Duration, error) {
	return inCache(dir, memo.Config{}, func(c *memo.Cache) (time.Duration, error) {
		f := memo.Wrap(c, summarize)
		if _, err := f(ctx, -1); err != nil { // notes the function's code
			return 0, err
		}
		d, err := eachCall(n, func(i int) error { _, err := f(ctx, i); return err })
		if misses := c.Stats().Misses; misses != int64(n)+1 {
			return 0, fmt.Errorf("%d misses", misses)
		}
		return d, err
	})
}

func timeHash(ctx context.Context, dir string, size int) (time.Duration, error) {
	return inCache(dir, memo.Config{}, func(c *memo.Cache) (time.Duration, error) {
		f := memo.Wrap(c, lengthOf)
		x, _ := manyFloats(ctx, size/8)
		if _, err := f(ctx, x); err != nil {
			return 0, err
		}
		return eachCall(3, func(int) error { _, err := f(ctx, x); return err })
	})
}

func timeLoad(ctx context.Context, dir string, size int) (time.Duration, error) {
	c, err := memo.Open(dir, memo.Config{})
	if err != nil {
		return 0, err
	}
	if _, err := memo.Wrap(c, manyFloats)(ctx, size/8); err != nil {
		return 0, err
	}
	if err := c.Close(); err != nil {
		return 0, err
	}
	return inCache(dir, memo.Config{Mmap: true}, func(c *memo.Cache) (time.Duration, error) {
		f := memo.Wrap(c, manyFloats)
		d, err := eachCall(1, func(int) error {
			x, err := f(ctx, size/8)
			if len(x) != size/8 || x[len(x)-1] != float64(len(x)-1) {
				return errors.Join(err, errors.New("another result"))
			}
			return err
		})
		if s := c.Stats(); s.Hits != 1 {
			return 0, fmt.Errorf("%d hits", s.Hits)
		}
		return d, err
	})
}

// timeCode builds a program of 200 files of which all count, and has it say how
// long it takes to find its code.
// first says whether each start finds a new cache.
func timeCode(ctx context.Context, dir string, first bool) (time.Duration, error) {
	root, err := filepath.Abs(".")
	if err != nil {
		return 0, err
	}
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		return 0, fmt.Errorf("run the benchmark at the root of weft: %w", err)
	}
	text := "module example.com/large\n\ngo 1.26.0\n\nrequire github.com/weft-go/weft v0.0.0\n\nreplace github.com/weft-go/weft => " + root + "\n"
	for line := range strings.Lines(string(mod)) {
		f := strings.Fields(line)
		if len(f) >= 2 && strings.HasPrefix(f[1], "v") && strings.Contains(f[0], ".") {
			text += "\nrequire " + f[0] + " " + f[1] + " // indirect\n"
		}
	}
	files := map[string]string{"go.mod": text}
	main := "package main\n\nimport (\n\t\"context\"\n\t\"embed\"\n\t\"fmt\"\n\t\"os\"\n\t\"time\"\n\n\t\"github.com/weft-go/weft/memo\"\n"
	calls := ""
	const packs, perPack, funcs = 20, 10, 20
	for p := range packs {
		main += fmt.Sprintf("\t\"example.com/large/p%d\"\n", p)
		calls += fmt.Sprintf("\tn += p%d.F0x0(n)\n", p)
		for f := range perPack {
			var b strings.Builder
			fmt.Fprintf(&b, "package p%d\n\nimport \"strings\"\n\ntype T%d struct{ name string; n int }\n\nfunc (t *T%d) Add(n int) int { t.n += n; return t.n }\n", p, f, f)
			for i := range funcs {
				next := fmt.Sprintf("F%dx%d", f, i+1)
				if i == funcs-1 {
					next = fmt.Sprintf("F%dx0", f+1)
				}
				if i == funcs-1 && f == perPack-1 {
					next = "last"
				}
				fmt.Fprintf(&b, `
// F%dx%d is one of many.
func F%dx%d(n int) int {
	t := T%d{name: strings.Repeat("x", n%%3), n: n}
	for i := range 3 {
		if i %% 2 == 0 {
			n += t.Add(i)
		} else {
			n -= len(t.name)
		}
	}
	return %s(n)
}
`, f, i, f, i, f, next)
			}
			if f == 0 {
				b.WriteString("\nfunc last(n int) int { return n }\n")
			}
			files[fmt.Sprintf("p%d/f%d.go", p, f)] = b.String()
		}
	}
	main += ")\n\n//go:embed go.mod *.go */*.go\nvar sources embed.FS\n\nfunc init() { memo.Source(sources) }\n\nfunc all(_ context.Context, n int) (int, error) {\n" + calls + "\treturn n, nil\n}\n" + `
func main() {
	c, err := memo.Open(os.Args[1], memo.Config{})
	if err != nil {
		panic(err)
	}
	f := memo.Wrap(c, all)
	begin := time.Now()
	why, err := f.Why(1)
	first := time.Since(begin)
	if err != nil || why.Level != memo.Exact {
		panic(fmt.Sprint(why, err))
	}
	fmt.Println(first.Nanoseconds())
}
`
	files["main.go"] = main
	sum, err := os.ReadFile("go.sum")
	if err != nil {
		return 0, err
	}
	files["go.sum"] = string(sum)
	for name, text := range files {
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), 0o600)); err != nil {
			return 0, err
		}
	}
	bin := filepath.Join(dir, "large.bin")
	build := exec.CommandContext(ctx, "go", "build", "-mod=mod", "-o", bin, ".")
	build.Dir, build.Env = dir, append(os.Environ(), "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("build a program of 200 files: %w: %s", err, out)
	}
	var times []time.Duration
	for i := range 10 {
		cache := "cache"
		if first {
			cache = fmt.Sprint("cache", i)
		}
		out, err := exec.CommandContext(ctx, bin, filepath.Join(dir, cache)).Output()
		if err != nil {
			return 0, err
		}
		n, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
		if err != nil {
			return 0, err
		}
		if i > 0 { // the first start reads the binary from the disk
			times = append(times, time.Duration(n))
		}
	}
	return median(times), nil
}

// memoEntries is how many entries the large cache has. Each takes a block of
// the disk, so ten million take 43 GB with blocks of 4 KiB, and an hour to be
// removed again. MEMO_BENCH_ENTRIES sets another number.
//
// MEMO_BENCH_DIR names a directory for the large cache that is kept: it is
// filled if it is not full yet, some 10 minutes for ten million, and measured.
// With a file system of its own in a file, removing is a matter of a moment.
//
// With MEMO_BENCH_USED=1, all entries but the newest hundredth are used again
// before the trimming, which then has to find those few. The entries must be
// ten minutes old, as a use is noted that often.
const memoEntries = 300_000

// manyEntries fills a cache and looks at it.
func manyEntries(ctx context.Context, temp string, o sectionOptions) (string, error) {
	if !o.wants("entries") {
		return "", nil
	}
	n := memoEntries
	if s := os.Getenv("MEMO_BENCH_ENTRIES"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil || n < 1000 {
			return "", fmt.Errorf("MEMO_BENCH_ENTRIES=%s: it must be a number from 1000 on", s)
		}
	}
	if o.quick {
		n = 2000
	}
	kept := os.Getenv("MEMO_BENCH_DIR")
	dir := cmp.Or(kept, filepath.Join(temp, "large"))
	filling := ""
	filled, err := fillTo(ctx, dir, n)
	if err != nil {
		return "", err
	}
	if filled > 0 {
		filling = fmt.Sprintf(", filled by %d goroutines in %s s (%s an entry)", runtime.GOMAXPROCS(0), seconds(filled), micros(filled/time.Duration(n)))
		fmt.Fprintf(o.log, "filled in %v\n", filled)
	}

	// Opening is timed with a cache that has not filled it.
	begin := time.Now()
	c, err := memo.Open(dir, memo.Config{})
	if err != nil {
		return "", err
	}
	items := c.Stats().Items
	opened := time.Since(begin)
	f := memo.Wrap(c, summarize, memo.Version("1"))
	random := rand.New(rand.NewPCG(1, 2))
	times := make([]time.Duration, min(n, 20_000))
	from := min(n/2, 2*max(0, n-int(items))) // the first ones may have been trimmed
	for i := range times {
		k := from + random.IntN(n-from)
		begin := time.Now()
		s, err := f(ctx, k)
		times[i] = time.Since(begin)
		if err != nil || s.Index != k {
			return "", fmt.Errorf("entry %d: %v %w", k, s, err)
		}
	}
	if s := c.Stats(); s.Misses != 0 {
		return "", fmt.Errorf("%d misses", s.Misses)
	}
	slices.Sort(times)
	which := ""
	if os.Getenv("MEMO_BENCH_USED") != "" {
		if err := useAgain(ctx, f, n-int(items), n-n/100); err != nil {
			return "", err
		}
		which = ", all others used since"
	}
	begin = time.Now()
	trimmed, err := c.Trim(ctx, memo.Limits{MaxItems: items - int64(n)/100})
	trimTime := time.Since(begin)
	if err = errors.Join(err, c.Close()); err != nil {
		return "", err
	}
	if want := int64(n) / 100; trimmed.Items != want {
		return "", fmt.Errorf("trimmed %d entries, want %d", trimmed.Items, want)
	}
	if kept == "" {
		begin = time.Now()
		if err := os.RemoveAll(dir); err != nil {
			return "", err
		}
		fmt.Fprintf(o.log, "removing %d entries took %v\n", n, time.Since(begin))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\nA cache of %d entries%s. The lookups are of random entries.\n\n", items, filling)
	b.WriteString("| what | time | aim, for 10 million |\n|---|---:|---|\n")
	fmt.Fprintf(&b, "| Open, and the number of entries | %s | 50 ms |\n", millis(opened))
	fmt.Fprintf(&b, "| lookup, median | %s | 100 us |\n", micros(times[len(times)/2]))
	fmt.Fprintf(&b, "| lookup, slowest of a hundred | %s | 100 us |\n", micros(times[len(times)*99/100]))
	fmt.Fprintf(&b, "| Trim of 1 %%, %d entries%s | %s | seconds |\n", trimmed.Items, which, millis(trimTime))
	return b.String(), nil
}

// useAgain calls a function for arguments that are in the cache.
func useAgain(ctx context.Context, f memo.Func[int, summary], from, to int) error {
	for i := from; i < to; i++ {
		if _, err := f(ctx, i); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

// fillTo calls a function for n arguments, unless the cache has that many
// entries. It returns how long it took.
func fillTo(ctx context.Context, dir string, n int) (time.Duration, error) {
	c, err := memo.Open(dir, memo.Config{})
	if err != nil {
		return 0, err
	}
	// A trimming may have been measured before.
	if c.Stats().Items >= int64(n)*9/10 {
		return 0, c.Close()
	}
	f := memo.Wrap(c, summarize, memo.Version("1"))
	begin := time.Now()
	errs := make([]error, runtime.GOMAXPROCS(0))
	var wg sync.WaitGroup
	for w := range errs {
		wg.Go(func() {
			for i := w; i < n && errs[w] == nil && ctx.Err() == nil; i += len(errs) {
				_, errs[w] = f(ctx, i)
			}
		})
	}
	wg.Wait()
	filled := time.Since(begin)
	err = errors.Join(append(errs, c.Close())...)
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return filled, err
}

const memoProcesses = 8

// manyProcesses has processes share a cache, with the same and with different
// keys.
func manyProcesses(ctx context.Context, temp string, o sectionOptions) (string, error) {
	if !o.wants("processes") {
		return "", nil
	}
	keys := 500
	if o.quick {
		keys = 20
	}
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n%d processes call a function of 1 ms of CPU for %d arguments each, in random order, on %d CPUs. `computed` is how often it ran.\n\n", memoProcesses, keys, runtime.GOMAXPROCS(0))
	b.WriteString("| keys | calls | computed | time s | computing alone s |\n|---|---:|---:|---:|---:|\n")
	for _, same := range []bool{true, false} {
		dir := filepath.Join(temp, fmt.Sprint("shared", same))
		begin := time.Now()
		outs := make([]string, memoProcesses)
		errs := make([]error, memoProcesses)
		var wg sync.WaitGroup
		for i := range outs {
			wg.Go(func() {
				offset := i * keys
				if same {
					offset = 0
				}
				out, err := exec.CommandContext(ctx, self, memoHelper.name, dir, strconv.Itoa(offset), strconv.Itoa(keys), strconv.Itoa(i)).Output()
				outs[i], errs[i] = strings.TrimSpace(string(out)), err
			})
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			return "", err
		}
		took := time.Since(begin)
		computed := 0
		for _, out := range outs {
			n, err := strconv.Atoi(out)
			if err != nil {
				return "", err
			}
			computed += n
		}
		name, want := "different", memoProcesses*keys
		if same {
			name, want = "the same", keys
		}
		if computed != want {
			return "", fmt.Errorf("%s keys: computed %d times, want %d", name, computed, want)
		}
		fmt.Fprintf(&b, "| %s | %d | %d | %s | %s |\n", name, memoProcesses*keys, computed, seconds(took),
			seconds(time.Duration(want)*time.Millisecond/time.Duration(runtime.GOMAXPROCS(0))))
		if err := os.RemoveAll(dir); err != nil {
			return "", err
		}
	}
	return b.String(), nil
}

// runMemoHelper calls busy for a range of arguments and prints how often it
// ran.
func runMemoHelper(ctx context.Context, out io.Writer, args []string) error {
	if len(args) != 4 {
		return errors.New("usage: memo-helper DIR FROM N SEED")
	}
	from, err1 := strconv.Atoi(args[1])
	n, err2 := strconv.Atoi(args[2])
	seed, err3 := strconv.Atoi(args[3])
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	c, err := memo.Open(args[0], memo.Config{})
	if err != nil {
		return err
	}
	f := memo.Wrap(c, busy, memo.Version("1"))
	for _, i := range rand.New(rand.NewPCG(uint64(seed), 1)).Perm(n) {
		if _, err := f(ctx, from+i); err != nil {
			return errors.Join(err, c.Close())
		}
	}
	fmt.Fprintln(out, c.Stats().Misses)
	return c.Close()
}
