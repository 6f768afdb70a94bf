package memo

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// testBundle is a cache in a directory of its own, with a clock that is set by
// hand and a log that can be read.
type testBundle struct {
	*Cache
	dir   string
	clock *clock
	log   *logged
}

type clock struct{ nanos atomic.Int64 }

func (c *clock) now() time.Time { return time.Unix(0, c.nanos.Load()) }

func (c *clock) forward(d time.Duration) { c.nanos.Add(int64(d)) }

type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func setup(t *testing.T, cfg Config) *testBundle {
	t.Helper()
	return setupIn(t, filepath.Join(t.TempDir(), "cache"), cfg)
}

func setupIn(t *testing.T, dir string, cfg Config) *testBundle {
	t.Helper()
	b := &testBundle{dir: dir, clock: &clock{}, log: &logged{}}
	b.clock.nanos.Store(time.Now().UnixNano())
	cfg.now = b.clock.now
	cfg.Logger = slog.New(slog.NewTextHandler(b.log, nil))
	c, err := Open(b.dir, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	b.Cache = c
	return b
}

// recorder counts the runs of a function by way of its context, as top-level
// functions capture nothing.
type recorder struct {
	mu   sync.Mutex
	runs []any
}

type recorderKey struct{}

func (r *recorder) in(ctx context.Context) context.Context {
	return context.WithValue(ctx, recorderKey{}, r)
}

func (r *recorder) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.runs)
}

func ran(ctx context.Context, arg any) {
	if r, ok := ctx.Value(recorderKey{}).(*recorder); ok {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.runs = append(r.runs, arg)
	}
}

func double(ctx context.Context, n int) (int, error) {
	ran(ctx, n)
	return 2 * n, nil
}

type point struct {
	X, Y  float64
	Name  string
	tags  map[string][]string
	Note  *string
	Debug bool `memo:"-"`
}

func mirror(ctx context.Context, p point) (point, error) {
	ran(ctx, p)
	p.X, p.Y = p.Y, p.X
	return p, nil
}

func TestSecondCallIsAHit(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	var r recorder
	ctx := r.in(t.Context())
	f := Wrap(b.Cache, double)
	for range 3 {
		if got, err := f(ctx, 21); got != 42 || err != nil {
			t.Fatal(got, err)
		}
	}
	if got, err := f(ctx, 4); got != 8 || err != nil {
		t.Fatal(got, err)
	}
	if r.count() != 2 {
		t.Errorf("ran %d times, want 2", r.count())
	}
	s := b.Stats()
	if s.Hits != 2 || s.Misses != 2 || s.Items != 2 || s.Bytes == 0 {
		t.Errorf("%+v", s)
	}
	if len(s.Functions) != 1 || s.Functions[0].Level != Build || !strings.Contains(s.Functions[0].Note, "no sources are embedded") {
		t.Errorf("%+v", s.Functions)
	}
	if b.log.String() != "" {
		t.Error(b.log)
	}
}

func TestSurvivesReopening(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	note := "a note"
	in := point{1, 2, "p", map[string][]string{"a": {"b"}, "c": nil, "d": {}}, &note, true}
	for i := range 2 {
		var r recorder
		b := setupIn(t, dir, Config{})
		got, err := Wrap(b.Cache, mirror)(r.in(t.Context()), in)
		if err != nil || got.X != 2 || got.Y != 1 || got.Name != "p" || *got.Note != note || len(got.tags) != 3 || got.tags["c"] != nil || got.tags["d"] == nil || got.tags["a"][0] != "b" {
			t.Errorf("%+v %v", got, err)
		}
		if r.count() != 1-i {
			t.Errorf("run %d: ran %d times", i, r.count())
		}
		// The tagged field is no part of the key, nor of the stored result.
		in.Debug = false
		if _, err := Wrap(b.Cache, mirror)(r.in(t.Context()), in); err != nil || r.count() != 1-i {
			t.Error(err, r.count())
		}
		if b.log.String() != "" {
			t.Error(b.log)
		}
	}
}

func TestNoDirectoryIsTransparent(t *testing.T) {
	t.Parallel()
	c, err := Open("", Config{})
	if err != nil {
		t.Fatal(err)
	}
	var r recorder
	ctx := r.in(t.Context())
	f := Wrap(c, double)
	for range 2 {
		if got, err := f(ctx, 1); got != 2 || err != nil {
			t.Error(got, err)
		}
	}
	if r.count() != 2 {
		t.Error(r.count())
	}
	why, err := f.Why(1)
	if err != nil || why.Cause != Off {
		t.Error(why, err)
	}
	if ok, err := f.Cached(1); ok || err != nil {
		t.Error(ok, err)
	}
	ref, err := f.Ref(ctx, 3)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ref.Load(); got != 6 || err != nil {
		t.Error(got, err)
	}
	if err := errors.Join(f.Forget(1), c.Clear(ctx), c.Close()); err != nil {
		t.Error(err)
	}
}

func TestDirectoryIsPrivateAndTagged(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	info, err := os.Stat(b.dir)
	if err != nil || info.Mode().Perm() != 0o700 && os.PathSeparator == '/' {
		t.Error(info.Mode(), err)
	}
	tag, err := os.ReadFile(filepath.Join(b.dir, "CACHEDIR.TAG"))
	if err != nil || !strings.HasPrefix(string(tag), "Signature: 8a477f597d28d172789f06886806bc55\n") {
		t.Errorf("%s %v", tag, err)
	}
	if ignore, err := os.ReadFile(filepath.Join(b.dir, ".gitignore")); err != nil || string(ignore) != "*\n" {
		t.Errorf("%s %v", ignore, err)
	}
}

func TestForeignDirectoryIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "thesis.txt")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(dir, Config{})
	if err == nil || !strings.Contains(err.Error(), "thesis.txt") || !strings.Contains(err.Error(), "empty or a new one") {
		t.Error(err)
	}
	if list, _ := os.ReadDir(dir); len(list) != 1 {
		t.Error("something was written there")
	}
}

func fails(ctx context.Context, n int) (int, error) {
	ran(ctx, n)
	if n < 0 {
		panic("negative")
	}
	return 0, errors.New("no")
}

func TestErrorsAndPanicsAreNotKept(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	var r recorder
	ctx := r.in(t.Context())
	f := Wrap(b.Cache, fails)
	for i := range 3 {
		if _, err := f(ctx, 1); err == nil || err.Error() != "no" {
			t.Error(err)
		}
		func() {
			defer func() {
				if recover() != "negative" {
					t.Error("no panic")
				}
			}()
			_, _ = f(ctx, -1)
		}()
		if r.count() != 2*(i+1) {
			t.Error(r.count())
		}
	}
	if n := b.Stats().Items; n != 0 {
		t.Errorf("%d entries", n)
	}
}

func ignoresCancelling(ctx context.Context, stop func()) (int, error) {
	stop()
	return 1, nil
}

func TestCancelledCallsLeaveNothing(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	ctx, cancel := context.WithCancel(t.Context())
	f := Wrap(b.Cache, ignoresCancelling, Key(func(func()) any { return 1 }))
	if got, err := f(ctx, cancel); got != 1 || err != nil {
		t.Error(got, err)
	}
	if n := b.Stats().Items; n != 0 {
		t.Errorf("%d entries", n)
	}
}

type gate struct {
	entered chan struct{}
	open    chan struct{}
}

type gateKey struct{}

func slow(ctx context.Context, n int) (int, error) {
	ran(ctx, n)
	g := ctx.Value(gateKey{}).(*gate)
	g.entered <- struct{}{}
	select {
	case <-g.open:
		return n, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func TestOneFlight(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	other, err := Open(b.dir, Config{}) // as another process would
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	var r recorder
	g := &gate{make(chan struct{}, 100), make(chan struct{})}
	ctx := context.WithValue(r.in(t.Context()), gateKey{}, g)
	var wg sync.WaitGroup
	for i := range 20 {
		f := Wrap(b.Cache, slow)
		if i%2 == 1 {
			f = Wrap(other, slow)
		}
		wg.Go(func() {
			if got, err := f(ctx, 5); got != 5 || err != nil {
				t.Error(got, err)
			}
		})
	}
	<-g.entered
	close(g.open)
	wg.Wait()
	if r.count() != 1 {
		t.Errorf("ran %d times", r.count())
	}
}

func TestCancelledLeaderDoesNotFailOthers(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	var r recorder
	g := &gate{make(chan struct{}, 100), make(chan struct{})}
	ctx := context.WithValue(r.in(t.Context()), gateKey{}, g)
	f := Wrap(b.Cache, slow)
	leader, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := f(leader, 1); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	<-g.entered
	wg.Go(func() {
		if got, err := f(ctx, 1); got != 1 || err != nil {
			t.Error(got, err)
		}
	})
	cancel()
	<-g.entered
	close(g.open)
	wg.Wait()
}

func TestWaitingEndsWithItsContext(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	other, err := Open(b.dir, Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	g := &gate{make(chan struct{}, 100), make(chan struct{})}
	ctx := context.WithValue(t.Context(), gateKey{}, g)
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := Wrap(b.Cache, slow)(ctx, 1); err != nil {
			t.Error(err)
		}
	})
	<-g.entered
	for _, c := range []*Cache{b.Cache, other} {
		waiting, cancel := context.WithCancelCause(ctx)
		enough := errors.New("enough")
		done := make(chan error)
		go func() {
			_, err := Wrap(c, slow)(waiting, 1)
			done <- err
		}()
		cancel(enough)
		if err := <-done; !errors.Is(err, enough) {
			t.Error(err)
		}
	}
	close(g.open)
	wg.Wait()
}

var recursing Func[int, int]

func needsItself(ctx context.Context, n int) (int, error) { return recursing(ctx, n) }

func TestRecursionIsAnError(t *testing.T) {
	b := setup(t, Config{})
	recursing = Wrap(b.Cache, needsItself)
	if _, err := recursing(t.Context(), 1); !errors.Is(err, ErrRecursion) {
		t.Error(err)
	}
}

func TestForgetAndRefresh(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	var r recorder
	ctx := r.in(t.Context())
	f := Wrap(b.Cache, double)
	is := func(want bool) {
		t.Helper()
		if ok, err := f.Cached(1); ok != want || err != nil {
			t.Error(ok, err)
		}
	}
	is(false)
	_, _ = f(ctx, 1)
	is(true)
	if got, err := f.Refresh(ctx, 1); got != 2 || err != nil || r.count() != 2 {
		t.Error(got, err, r.count())
	}
	if n := b.Stats().Items; n != 1 {
		t.Errorf("%d items", n)
	}
	if err := f.Forget(1); err != nil {
		t.Error(err)
	}
	is(false)
	if err := f.Forget(1); err != nil {
		t.Error(err)
	}
	if n := b.Stats().Items; n != 0 {
		t.Errorf("%d items", n)
	}
}

func TestRef(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	var r recorder
	ctx := r.in(t.Context())
	f := Wrap(b.Cache, double)
	for range 2 {
		ref, err := f.Ref(ctx, 4)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ref.Load(); got != 8 || err != nil {
			t.Error(got, err)
		}
		if len(ref.String()) != 32 {
			t.Error(ref)
		}
	}
	if r.count() != 1 {
		t.Error(r.count())
	}
	ref, _ := f.Ref(ctx, 4)
	_ = f.Forget(4)
	if _, err := ref.Load(); !errors.Is(err, ErrGone) {
		t.Error(err)
	}
	if _, err := (Ref[int]{}).Load(); err == nil {
		t.Error("an empty Ref loads")
	}
}

func floats(ctx context.Context, n int) ([]float64, error) {
	ran(ctx, n)
	out := make([]float64, n)
	for i := range out {
		out[i] = float64(i)
	}
	return out, nil
}

func TestMmapAndCompress(t *testing.T) {
	t.Parallel()
	for _, cfg := range []Config{{}, {Mmap: true}, {Compress: true}, {Mmap: true, Compress: true}, {Sync: true}} {
		b := setup(t, cfg)
		var r recorder
		ctx := r.in(t.Context())
		f := Wrap(b.Cache, floats)
		want, err := f(ctx, 100_000)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			got, err := f(ctx, 100_000)
			if err != nil || !slices.Equal(got, want) {
				t.Error(len(got), err)
			}
		}
		if r.count() != 1 {
			t.Error(r.count())
		}
		if small := b.Stats().Bytes < 400_000; small != cfg.Compress {
			t.Errorf("%+v: %d bytes on disk", cfg, b.Stats().Bytes)
		}
	}
}

func TestMappedSlicesOutliveTheCache(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c, err := Open(dir, Config{Mmap: true})
	if err != nil {
		t.Fatal(err)
	}
	f := Wrap(c, floats)
	_, _ = f(t.Context(), 20_000)
	got, err := f(t.Context(), 20_000)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Forget(20_000), c.Close(), os.RemoveAll(dir)); err != nil {
		t.Fatal(err)
	}
	for i, x := range got {
		if x != float64(i) {
			t.Fatal(i, x)
		}
	}
}

func TestExpiresAndValidates(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	var r recorder
	ctx := r.in(t.Context())
	valid := true
	f := Wrap(b.Cache, double, ExpiresAfter(time.Hour), Validate(func(m Meta) bool {
		if m.Args != "1" || !strings.HasSuffix(m.Function, "memo.double") {
			t.Errorf("%+v", m)
		}
		return valid
	}))
	call := func(runs int) {
		t.Helper()
		if _, err := f(ctx, 1); err != nil || r.count() != runs {
			t.Error(err, r.count())
		}
	}
	why := func(want Cause) {
		t.Helper()
		if w, err := f.Why(1); w.Cause != want || err != nil {
			t.Error(w, err)
		}
	}
	why(FirstCall)
	call(1)
	call(1)
	why(Hit)
	b.clock.forward(2 * time.Hour)
	why(Expired)
	call(2)
	valid = false
	why(Invalid)
	call(3)
	valid = true
	// The clock goes back by a day: nobody can tell how old the entry is.
	b.clock.forward(-24 * time.Hour)
	why(Expired)
	call(4)
	call(4)
}

type query struct {
	Text string
	Log  struct{ Level int }
}

func answer(ctx context.Context, q query) (string, error) { ran(ctx, q); return q.Text, nil }

func TestIgnoreAndKey(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	var r recorder
	ctx := r.in(t.Context())
	f := Wrap(b.Cache, answer, Ignore("Log.Level"))
	q := query{Text: "a"}
	_, _ = f(ctx, q)
	q.Log.Level = 7
	if _, err := f(ctx, q); err != nil || r.count() != 1 {
		t.Error(err, r.count())
	}
	q.Text = "b"
	if _, err := f(ctx, q); err != nil || r.count() != 2 {
		t.Error(err, r.count())
	}
	g := Wrap(b.Cache, answer, Key(func(q query) any { return len(q.Text) }))
	for _, text := range []string{"xx", "yy", "zzz"} {
		_, _ = g(ctx, query{Text: text})
	}
	if r.count() != 4 {
		t.Error(r.count())
	}
}

// What stands for the argument is a part of the key: two ways to wrap one
// function don't find each other's results.
func TestWaysOfKeysDoNotMix(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	var r recorder
	ctx := r.in(t.Context())
	for i, f := range []Func[twoTexts, string]{
		Wrap(b.Cache, join, Ignore("A")),
		Wrap(b.Cache, join, Ignore("B")),
		Wrap(b.Cache, join, Key(func(t twoTexts) any { return t.A })),
		Wrap(b.Cache, join, Key(func(t twoTexts) any { return t.B })),
		Wrap(b.Cache, join),
	} {
		if _, err := f(ctx, twoTexts{"x", "x"}); err != nil || r.count() != i+1 {
			t.Error(i, err, r.count())
		}
	}
}

type twoTexts struct{ A, B string }

func join(ctx context.Context, t twoTexts) (string, error) { ran(ctx, t); return t.A + t.B, nil }
