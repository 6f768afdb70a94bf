package objects

import (
	"bytes"
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/weft-go/weft/internal/clustertest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bytesOf are n bytes that depend on seed.
func bytesOf(seed uint64, n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(seed, 1))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func open(t *testing.T, url string, o Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func put(t *testing.T, s *Store, prefix string, p []byte) Ref {
	t.Helper()
	ref, err := s.Put(t.Context(), prefix, p)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func get(t *testing.T, s *Store, ref Ref) []byte {
	t.Helper()
	p, err := s.Get(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// each runs a test on each kind of store, sealed and not, with a cache and
// without.
func each(t *testing.T, f func(t *testing.T, s *Store)) {
	t.Helper()
	urls := map[string]func(t *testing.T) string{
		"mem":  func(t *testing.T) string { return "mem://" + crand.Text() },
		"file": func(t *testing.T) string { return "file://" + filepath.ToSlash(t.TempDir()) + "/store" },
		"s3":   func(t *testing.T) string { return clustertest.StartS3(t, clustertest.S3Options{}).URL },
	}
	for kind, url := range urls {
		for _, sealed := range []bool{false, true} {
			for _, cached := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/sealed=%t/cached=%t", kind, sealed, cached), func(t *testing.T) {
					t.Parallel()
					o := Options{CacheBytes: -1}
					if sealed {
						o.Key = bytesOf(1, 32)
					}
					if cached {
						o.CacheBytes, o.CacheDir = 64<<20, filepath.Join(t.TempDir(), "cache")
					}
					f(t, open(t, url(t), o))
				})
			}
		}
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Store) {
		refs := map[Ref][]byte{}
		for i, n := range []int{0, 1, 1000, probeBytes - 1, probeBytes, 3 << 20} {
			p := bytesOf(uint64(i), n)
			before := bytes.Clone(p)
			ref := put(t, s, "runs/r1", p)
			if !bytes.Equal(p, before) {
				t.Fatal("Put changed the value")
			}
			if ref.Size != int64(n) || !strings.HasPrefix(ref.Path, "runs/r1/") {
				t.Errorf("ref of %d bytes is %v", n, ref)
			}
			if again := put(t, s, "runs/r1", p); again != ref {
				t.Errorf("the same value has refs %v and %v", ref, again)
			}
			refs[ref] = p
		}
		for range 2 { // from the store, then from the cache if there is one
			for ref, p := range refs {
				got := get(t, s, ref)
				if !bytes.Equal(got, p) || got == nil {
					t.Errorf("%v: other bytes came back", ref)
				}
				for i := range got {
					got[i]++ // they are the caller's
				}
			}
		}
		if s.cache != nil && s.Stats().Hits == 0 {
			t.Error("nothing came from the cache")
		}
	})
}

func TestListFoldersDelete(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Store) {
		var want []string
		for i := range 20 {
			ref := put(t, s, "runs/a", bytesOf(uint64(i), 10))
			want = append(want, ref.Path)
			put(t, s, "runs/ab", bytesOf(uint64(i), 10))
		}
		kept := put(t, s, "shared", []byte("kept"))
		slices.Sort(want)

		var got []string
		for o, err := range s.List(t.Context(), "runs/a") {
			if err != nil {
				t.Fatal(err)
			}
			if o.Size != s.seal.size(10) || o.Modified.IsZero() {
				t.Errorf("object %+v", o)
			}
			got = append(got, o.Path)
		}
		if !slices.Equal(got, want) {
			t.Errorf("listed %v\nwant %v", got, want)
		}
		for range s.List(t.Context(), "runs/a") {
			break // no harm
		}
		for prefix, want := range map[string][]string{"": {"runs", "shared"}, "runs": {"a", "ab"}, "none": nil} {
			if names, err := s.Folders(t.Context(), prefix); err != nil || !slices.Equal(names, want) {
				t.Errorf("folders below %q: %v, %v, want %v", prefix, names, err, want)
			}
		}
		n, err := s.DeletePrefix(t.Context(), "runs/a")
		if n != len(want) || err != nil {
			t.Errorf("deleted %d, %v, want %d", n, err, len(want))
		}
		if n, err := s.DeletePrefix(t.Context(), "runs/a"); n != 0 || err != nil {
			t.Errorf("deleted again: %d, %v", n, err)
		}
		if names, err := s.Folders(t.Context(), "runs"); err != nil || !slices.Equal(names, []string{"ab"}) {
			t.Errorf("folders left: %v, %v", names, err)
		}
		get(t, s, kept)
		if s.cache == nil {
			_, err = s.Get(t.Context(), Ref{want[0], 10})
			if !errors.Is(err, ErrMissing) || !strings.Contains(fmt.Sprint(err), "deleted") {
				t.Errorf("a deleted object: %v", err)
			}
		}
	})
}

// What is below one prefix is never read, listed or deleted through another
// store's URL, whatever the reference says.
func TestForgedRefs(t *testing.T) {
	t.Parallel()
	dir := filepath.ToSlash(t.TempDir())
	inner := open(t, "file://"+dir+"/store/inner", Options{})
	outer := open(t, "file://"+dir+"/store", Options{})
	secret := put(t, outer, "secret", []byte("secret"))
	name := secret.Path[len("secret/"):]
	ours := put(t, inner, "runs/a", []byte("ours"))

	for _, path := range []string{
		"../secret/" + name, "runs/../../secret/" + name, "/secret/" + name, dir + "/store/secret/" + name,
		"runs//" + name, "./runs/" + name, "runs/./" + name, `..\secret\` + name, `runs\..\..\secret/` + name,
		"C:/secret/" + name, "runs/%2e%2e/" + name, "runs/a\x00/" + name, "runs/../secret/" + name, "..../" + name,
		"runs/a./" + name, "runs/a /" + name, "runs/é/" + name, name, "/" + name, "", "runs/a/", "runs/a", "runs/a/" + name[:63],
		"runs/a/" + strings.ToUpper(name), "runs/a/" + name + "/x", strings.Repeat("a/", 300) + name,
	} {
		_, err := inner.Get(t.Context(), Ref{path, 6})
		if !errors.Is(err, ErrRef) {
			t.Errorf("path %q: %v, want ErrRef", path, err)
		}
	}
	for _, size := range []int64{-1, 1 << 62, -1 << 63} {
		if _, err := inner.Get(t.Context(), Ref{ours.Path, size}); !errors.Is(err, ErrRef) {
			t.Errorf("size %d: %v, want ErrRef", size, err)
		}
	}
	// A size that is only wrong takes no memory.
	if _, err := inner.Get(t.Context(), Ref{ours.Path, 1 << 50}); !errors.Is(err, ErrContent) {
		t.Errorf("a terabyte: %v, want ErrContent", err)
	}
	if _, err := inner.Get(t.Context(), Ref{"secret/" + name, 6}); !errors.Is(err, ErrMissing) {
		t.Errorf("another store's reference: %v, want ErrMissing", err)
	}
	for _, prefix := range []string{"", "..", "../secret", "/", "a/../..", "a//b", ".hidden", "a/b/", `a\b`, "a b"} {
		if _, err := inner.Put(t.Context(), prefix, nil); !errors.Is(err, ErrRef) {
			t.Errorf("Put below %q: %v, want ErrRef", prefix, err)
		}
		if _, err := inner.DeletePrefix(t.Context(), prefix); !errors.Is(err, ErrRef) {
			t.Errorf("DeletePrefix %q: %v, want ErrRef", prefix, err)
		}
		for _, err := range inner.List(t.Context(), prefix) {
			if !errors.Is(err, ErrRef) {
				t.Errorf("List %q: %v, want ErrRef", prefix, err)
			}
		}
	}
	if got := get(t, outer, secret); string(got) != "secret" {
		t.Errorf("the secret is %q", got)
	}
}

// Whoever can write to the store cannot make a reference mean another value.
func TestChangedObject(t *testing.T) {
	t.Parallel()
	for _, key := range [][]byte{nil, bytesOf(1, 16)} {
		dir := filepath.ToSlash(t.TempDir())
		s := open(t, "file://"+dir, Options{Key: key})
		a, b := put(t, s, "x", []byte("aaaa")), put(t, s, "x", []byte("bbbb"))
		bb, err := os.ReadFile(filepath.Join(dir, b.Path))
		if err != nil {
			t.Fatal(err)
		}
		flip := bytes.Clone(bb)
		flip[len(flip)-1] ^= 1
		for what, content := range map[string][]byte{"other value": bb, "flipped bit": flip, "shorter": bb[:len(bb)-1], "longer": append(bytes.Clone(bb), 0), "empty": {}} {
			if err := os.WriteFile(filepath.Join(dir, a.Path), content, 0o600); err != nil {
				t.Fatal(err)
			}
			if p, err := s.Get(t.Context(), a); !errors.Is(err, ErrContent) {
				t.Errorf("%s, sealed %t: %q, %v, want ErrContent", what, key != nil, p, err)
			}
		}
	}
}

func TestSealed(t *testing.T) {
	t.Parallel()
	dir, cache := filepath.ToSlash(t.TempDir()), filepath.Join(t.TempDir(), "cache")
	url := "file://" + dir
	key := bytesOf(1, 32)
	s := open(t, url, Options{Key: key, CacheDir: cache})
	plain := []byte("a word that one would look for")
	ref := put(t, s, "x", plain)
	get(t, s, ref)
	files := 0
	for _, d := range []string{dir, cache} {
		err := filepath.WalkDir(d, func(path string, e os.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			files++
			b, err := os.ReadFile(path)
			if bytes.Contains(b, plain[:8]) {
				t.Errorf("%s holds the value as it is", path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if files != 2 {
		t.Errorf("%d files, want one in the store and one in the cache", files)
	}
	unkeyed := open(t, url, Options{})
	if unsealed := put(t, unkeyed, "y", plain); strings.HasSuffix(ref.Path, unsealed.Path[len("y/"):]) {
		t.Error("the sealed object's name is its value's hash, from which it can be guessed")
	}
	other := open(t, url, Options{Key: bytesOf(2, 32)})
	for name, s := range map[string]*Store{"no key": unkeyed, "another key": other} {
		_, err := s.Get(t.Context(), ref)
		if !errors.Is(err, ErrContent) {
			t.Errorf("%s: %v, want ErrContent", name, err)
		}
	}
}

// Two stores of one cache directory do not see each other's entries, and what
// a cache has broken comes from the store.
func TestCacheEntries(t *testing.T) {
	t.Parallel()
	cache := filepath.Join(t.TempDir(), "cache")
	s := open(t, "mem://"+t.Name()+"1", Options{CacheDir: cache})
	other := open(t, "mem://"+t.Name()+"2", Options{CacheDir: cache})
	ref := put(t, s, "x", bytesOf(1, 1000))
	if _, err := other.Get(t.Context(), ref); !errors.Is(err, ErrMissing) {
		t.Errorf("another store's object, by the cache: %v", err)
	}
	entries, err := os.ReadDir(cache)
	if err != nil || len(entries) != 1 {
		t.Fatalf("%v, %v", entries, err)
	}
	name := filepath.Join(cache, entries[0].Name())
	for what, b := range map[string][]byte{"other bytes": bytesOf(2, 1000), "shorter": bytesOf(1, 999), "empty": {}} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(get(t, s, ref), bytesOf(1, 1000)) {
			t.Errorf("%s in the cache came back", what)
		}
	}
	if n := s.Stats().Hits; n != 0 {
		t.Errorf("%d hits, want none", n)
	}
	get(t, s, ref)
	if n := s.Stats().Hits; n != 1 {
		t.Errorf("%d hits after the entry was mended, want 1", n)
	}
}

// Many who want one object at a time read it once.
func TestReadOnce(t *testing.T) {
	t.Parallel()
	url := "mem://" + t.Name()
	ref := put(t, open(t, url, Options{}), "x", bytesOf(1, 1<<20))
	s := open(t, url, Options{CacheDir: filepath.Join(t.TempDir(), "cache")})
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if p, err := s.Get(t.Context(), ref); err != nil || len(p) != 1<<20 {
				t.Error(len(p), err)
			}
		})
	}
	wg.Wait()
	if st := s.Stats(); st.Gets != 1 || st.Hits != 15 {
		t.Errorf("%d from the store, %d from the cache, want 1 and 15", st.Gets, st.Hits)
	}
}

func TestCancelled(t *testing.T) {
	t.Parallel()
	s := open(t, "mem://"+t.Name(), Options{})
	why := errors.New("why")
	ctx, cancel := context.WithCancelCause(t.Context())
	ref := put(t, s, "x", []byte("x"))
	cancel(why)
	if _, err := s.Put(ctx, "x", []byte("y")); !errors.Is(err, why) {
		t.Errorf("Put: %v", err)
	}
	if _, err := s.Get(ctx, ref); !errors.Is(err, why) {
		t.Errorf("Get: %v", err)
	}
	if _, err := s.DeletePrefix(ctx, "x"); !errors.Is(err, why) {
		t.Errorf("DeletePrefix: %v", err)
	}
}
