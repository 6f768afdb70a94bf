package memo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestReadOnly(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	var r recorder
	ctx := r.in(t.Context())
	if _, err := Wrap(b.Cache, double)(ctx, 1); err != nil {
		t.Fatal(err)
	}
	before := b.Stats().Items
	ro := setupIn(t, b.dir, Config{ReadOnly: true})
	f := Wrap(ro.Cache, double)
	for range 2 {
		if got, err := f(ctx, 1); got != 2 || err != nil {
			t.Error(got, err)
		}
		if got, err := f(ctx, 2); got != 4 || err != nil {
			t.Error(got, err)
		}
	}
	if r.count() != 3 {
		t.Errorf("ran %d times", r.count())
	}
	if s := ro.Stats(); s.Items != before || s.Hits != 2 {
		t.Errorf("%+v", s)
	}
	if _, err := ro.Trim(ctx, Limits{MaxItems: 1}); err == nil || !strings.Contains(err.Error(), "read only") {
		t.Error(err)
	}
	if err := ro.Clear(ctx); err == nil {
		t.Error("cleared")
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none"), Config{ReadOnly: true}); err == nil || !strings.Contains(err.Error(), "must be there already") {
		t.Error(err)
	}
}

// What can't be kept is a warning, and the result is returned all the same.
func TestResultIsReturnedThoughNotKept(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	// Files stand where directories of entries would be made.
	for _, c := range "abcdefghijklmnopqrstuvwxyz234567" {
		if err := os.WriteFile(filepath.Join(b.dir, "e", string(c)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var r recorder
	f := Wrap(b.Cache, double)
	for i := range 3 {
		if got, err := f(r.in(t.Context()), 1); got != 2 || err != nil || r.count() != i+1 {
			t.Error(got, err, r.count())
		}
	}
	if s := b.Stats(); s.Failed != 3 || s.Items != 0 {
		t.Errorf("%+v", s)
	}
	if !strings.Contains(b.log.String(), "a result is not kept") {
		t.Error(b.log)
	}
}

func TestWhyTellsEvictedAndDamaged(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	f := Wrap(b.Cache, double)
	for i := range 4 {
		b.clock.forward(time.Minute)
		_, _ = f(t.Context(), i)
	}
	why := func(n int, want Cause) Reason {
		t.Helper()
		r, err := f.Why(n)
		if err != nil || r.Cause != want || r.Level != Build || r.Hit() != (want == Hit) {
			t.Error(r, err)
		}
		return r
	}
	if tr, err := b.Trim(t.Context(), Limits{MaxItems: 2}); tr.Items != 2 || err != nil {
		t.Error(tr, err)
	}
	why(0, Evicted)
	why(3, Hit)
	if r := why(99, Argument); !strings.Contains(r.String(), "miss: ") || !strings.Contains(r.String(), "(code: build, as no sources") {
		t.Error(r)
	}
	// Damage one, in place.
	for m, err := range b.Entries(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if m.Args != "3" {
			continue
		}
		name := filepath.Join(b.dir, "e", m.Key[:1], m.Key[1:])
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		data[len(data)-1] ^= 1
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	why(3, Damaged)
	if got, err := f(t.Context(), 3); got != 6 || err != nil {
		t.Error(got, err)
	}
	why(3, Hit)
	if !strings.Contains(b.log.String(), "checksum of the payload is wrong") {
		t.Error(b.log)
	}
}

func countBytes(ctx context.Context, f File) (int, error) {
	ran(ctx, f)
	data, err := os.ReadFile(string(f))
	return len(data), err
}

func TestFileContentCounts(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	var r recorder
	ctx := r.in(t.Context())
	f := Wrap(b.Cache, countBytes)
	dir := t.TempDir()
	name := filepath.Join(dir, "a")
	old := time.Now().Add(-time.Hour)
	put := func(name, text string, at time.Time) {
		t.Helper()
		if err := errors.Join(os.WriteFile(name, []byte(text), 0o600), os.Chtimes(name, at, at)); err != nil {
			t.Fatal(err)
		}
	}
	call := func(name string, want, runs int) {
		t.Helper()
		got, err := f(ctx, File(name))
		if got != want || err != nil || r.count() != runs {
			t.Errorf("%d %v, ran %d times", got, err, r.count())
		}
	}
	put(name, "abc", old)
	call(name, 3, 1)
	call(name, 3, 1)
	put(name, "abc", old.Add(time.Minute)) // touched
	call(name, 3, 1)
	// Another content of the same size, with the time set back.
	put(name, "xyzw", old.Add(time.Minute))
	call(name, 4, 2)
	put(name, "wxyz", old.Add(time.Minute))
	call(name, 4, 3)
	put(name, "abc", time.Now())
	call(name, 3, 3)
	// The same content elsewhere is the same.
	put(filepath.Join(dir, "b"), "abc", time.Now())
	call(filepath.Join(dir, "b"), 3, 3)
	put(name, "abcdef", time.Now())
	w, err := f.Why(File(name))
	if err != nil || w.Cause != FileChanged || len(w.Changed) != 1 || !strings.Contains(w.Detail, "6 bytes") {
		t.Error(w, err)
	}
	if _, err := f(ctx, File(filepath.Join(dir, "none"))); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if _, err := f(ctx, File(dir)); err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Error(err)
	}
}

func changesItsFile(ctx context.Context, f File) (int, error) {
	ran(ctx, f)
	return 1, os.WriteFile(string(f), []byte(fmt.Sprint("changed by ", time.Now())), 0o600)
}

func TestFileThatChangesMeanwhile(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	var r recorder
	name := filepath.Join(t.TempDir(), "a")
	if err := os.WriteFile(name, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := Wrap(b.Cache, changesItsFile)(r.in(t.Context()), File(name)); got != 1 || err != nil {
		t.Error(got, err)
	}
	if n := b.Stats().Items; n != 0 || !strings.Contains(b.log.String(), "a file changed while the function ran") {
		t.Error(n, b.log)
	}
}

func TestVerifyAndClear(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	f := Wrap(b.Cache, double)
	for i := range 10 {
		_, _ = f(t.Context(), i)
	}
	var names []string
	err := filepath.WalkDir(filepath.Join(b.dir, "e"), func(name string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, name)
		}
		return err
	})
	if err != nil || len(names) != 10 {
		t.Fatal(err, names)
	}
	for i, spoil := range [][]byte{nil, []byte("short"), bytes.Repeat([]byte{0}, 500)} {
		if err := os.WriteFile(names[i], spoil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// An empty one might be one that is being written now.
	old := b.clock.now().Add(-2 * time.Minute)
	if err := os.Chtimes(names[0], old, old); err != nil {
		t.Fatal(err)
	}
	v, err := b.Verify(t.Context())
	if err != nil || v.Items != 7 || len(v.Damaged) != 3 || v.Removed != 3 {
		t.Errorf("%+v %v", v, err)
	}
	if n := b.Stats().Items; n != 7 {
		t.Error(n)
	}
	if err := b.Clear(t.Context()); err != nil || b.Stats().Items != 0 {
		t.Error(err)
	}
	if w, err := f.Why(1); w.Cause != FirstCall || err != nil {
		t.Error(w, err)
	}
	if got, err := f(t.Context(), 1); got != 2 || err != nil || b.Stats().Items != 1 {
		t.Error(got, err)
	}
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	for want, cfg := range map[string]Config{"MaxBytes": {MaxBytes: -1}, "MaxItems": {MaxItems: -1}, "MaxAge": {MaxAge: -1}} {
		if _, err := Open(t.TempDir(), cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Error(err)
		}
	}
}

// The bounds hold by themselves, in a real directory.
func TestBounds(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{MaxItems: 20, MaxAge: time.Hour})
	f := Wrap(b.Cache, double)
	for i := range 200 {
		if _, err := f(t.Context(), i); err != nil {
			t.Fatal(err)
		}
	}
	b.store.Idle()
	s := b.Stats()
	if s.Items > 40 || s.Evicted < 160 {
		t.Errorf("%+v", s)
	}
	b.clock.forward(2 * time.Hour)
	if w, err := f.Why(199); w.Cause != Expired || err != nil {
		t.Error(w, err)
	}
}

// testdata holds a store written by the first version of the format. It must
// be readable for ever.
func TestFormat1(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "format1"))); err != nil {
		t.Fatal(err)
	}
	b := setupIn(t, dir, Config{Mmap: true})
	var r recorder
	ctx := r.in(t.Context())
	check := func(ok bool, err error) {
		t.Helper()
		if !ok || err != nil {
			t.Error(ok, err)
		}
	}
	n, err := Wrap(b.Cache, double, Version("1"))(ctx, 21)
	check(n == 42, err)
	p, err := Wrap(b.Cache, mirror, Version("1"))(ctx, formatPoint)
	check(p.X == 2 && p.Y == 1 && p.Name == "p" && p.tags["a"][0] == "b", err)
	x, err := Wrap(b.Cache, floats, Version("1"))(ctx, 10_000)
	check(len(x) == 10_000 && x[9999] == 9999, err)
	if r.count() != 0 {
		t.Errorf("%d results were not found", r.count())
	}
	if s := b.Stats(); s.Items != 3 || s.Damaged != 0 {
		t.Errorf("%+v", s)
	}
	v, err := b.Verify(t.Context())
	check(v.Items == 3 && len(v.Damaged) == 0, err)
}

var formatPoint = point{1, 2, "p", map[string][]string{"a": {"b"}, "c": nil}, nil, false}

// TestWriteFormat writes testdata anew; only for a new format, beside the old
// ones.
func TestWriteFormat(t *testing.T) {
	dir := os.Getenv("MEMO_WRITE_FORMAT")
	if dir == "" {
		t.Skip("MEMO_WRITE_FORMAT names no directory")
	}
	c, err := Open(dir, Config{Compress: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	_, err1 := Wrap(c, double, Version("1"))(ctx, 21)
	_, err2 := Wrap(c, mirror, Version("1"))(ctx, formatPoint)
	_, err3 := Wrap(c, floats, Version("1"))(ctx, 10_000)
	if err := errors.Join(err1, err2, err3, c.Close()); err != nil {
		t.Fatal(err)
	}
}
