package objects

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weft-go/weft/internal/clustertest"
)

// faulty puts a fault before some operations of a bucket.
type faulty struct {
	bucket
	fault func(ctx context.Context, op string) error
}

func (f faulty) write(ctx context.Context, path string, b []byte) error {
	if err := f.fault(ctx, "write"); err != nil {
		return err
	}
	return f.bucket.write(ctx, path, b)
}

func (f faulty) read(ctx context.Context, path string, size int64) ([]byte, error) {
	if err := f.fault(ctx, "read"); err != nil {
		return nil, err
	}
	return f.bucket.read(ctx, path, size)
}

func (f faulty) size(ctx context.Context, path string) (int64, error) {
	if err := f.fault(ctx, "size"); err != nil {
		return 0, err
	}
	return f.bucket.size(ctx, path)
}

func (f faulty) remove(ctx context.Context, path string) error {
	if err := f.fault(ctx, "remove"); err != nil {
		return err
	}
	return f.bucket.remove(ctx, path)
}

func (f faulty) list(ctx context.Context, prefix string, folders bool, each func(Object) error) error {
	if err := f.fault(ctx, "list"); err != nil {
		return err
	}
	return f.bucket.list(ctx, prefix, folders, each)
}

// breakStore is a store in memory with a fault before each operation.
func breakStore(t *testing.T, o Options, fault func(ctx context.Context, op string) error) *Store {
	t.Helper()
	s := open(t, "mem://"+strings.ReplaceAll(t.Name(), "/", "-"), o)
	s.bucket = faulty{s.bucket, fault}
	return s
}

func TestOneInTenFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 2))
		var mu sync.Mutex
		failed := 0
		s := breakStore(t, Options{}, func(context.Context, string) error {
			mu.Lock()
			defer mu.Unlock()
			if r.IntN(10) == 0 {
				failed++
				return errors.New("injected")
			}
			return nil
		})
		for i := range 300 {
			p := bytesOf(uint64(i), 100)
			if !bytes.Equal(get(t, s, put(t, s, "x", p)), p) {
				t.Fatalf("value %d came back changed", i)
			}
		}
		if n, err := s.DeletePrefix(t.Context(), "x"); n != 300 || err != nil {
			t.Errorf("deleted %d, %v", n, err)
		}
		if failed < 50 || s.Stats().Again != int64(failed) {
			t.Errorf("%d faults, %d tries again", failed, s.Stats().Again)
		}
	})
}

func TestOneInTenHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := 0
		s := breakStore(t, Options{Slow: 20 * time.Second}, func(ctx context.Context, _ string) error {
			if n++; n%10 == 0 {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		})
		begin := time.Now()
		for i := range 50 {
			p := bytesOf(uint64(i), 100)
			if !bytes.Equal(get(t, s, put(t, s, "x", p)), p) {
				t.Fatalf("value %d came back changed", i)
			}
		}
		// Eleven of 111 calls hang until their limit; the pauses are short.
		if d := time.Since(begin); d < 200*time.Second || d > 230*time.Second {
			t.Errorf("took %v", d)
		}
	})
}

func TestPatienceEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		down := errors.New("down")
		s := breakStore(t, Options{Patience: 30 * time.Second}, func(context.Context, string) error { return down })
		begin := time.Now()
		_, err := s.Put(t.Context(), "x", []byte("x"))
		e, ok := errors.AsType[*Error](err)
		if !ok || !errors.Is(err, down) || e.Op != "put" || e.Tries < 5 || !strings.Contains(err.Error(), fmt.Sprintf("tried %d times", e.Tries)) {
			t.Errorf("error %v", err)
		}
		if d := time.Since(begin); d < 20*time.Second || d > 30*time.Second {
			t.Errorf("gave up after %v", d)
		}
		// Waiting ends with the context.
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin = time.Now()
		if _, err := s.Put(ctx, "x", []byte("x")); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != time.Second {
			t.Errorf("after %v: %v", time.Since(begin), err)
		}
	})
}

// What trying again cannot mend is not tried again.
func TestLasting(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		fault error
		want  error
		says  string
	}{
		{fmt.Errorf("writing: %w", syscall.ENOSPC), syscall.ENOSPC, "free some"},
		{fmt.Errorf("writing: %w", syscall.EACCES), syscall.EACCES, "who owns"},
	} {
		s := breakStore(t, Options{}, func(context.Context, string) error { return c.fault })
		_, err := s.Put(t.Context(), "x", []byte("x"))
		if e, ok := errors.AsType[*Error](err); !ok || e.Tries != 1 || !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v: %v", c.fault, err)
		}
	}
	s := open(t, "mem://"+t.Name(), Options{})
	ref := put(t, s, "x", []byte("x"))
	ref.Path = "y" + ref.Path[1:]
	_, err := s.Get(t.Context(), ref)
	if e, ok := errors.AsType[*Error](err); !ok || e.Tries != 1 || !errors.Is(err, ErrMissing) {
		t.Errorf("a missing object: %v", err)
	}
}

// A transfer that breaks off in the middle is read again, from a real client.
func TestRealFaults(t *testing.T) {
	t.Parallel()
	s3 := clustertest.StartS3(t, clustertest.S3Options{FailEvery: 4, SlowEvery: 7, Delay: 20 * time.Millisecond})
	s := open(t, s3.URL, Options{CacheDir: filepath.Join(t.TempDir(), "cache")})
	var wg sync.WaitGroup
	var wrong atomic.Int64
	for w := range 4 {
		wg.Go(func() {
			for i := range 20 {
				p := bytesOf(uint64(w*100+i), 1+i*i*i*100)
				ref, err := s.Put(t.Context(), "x", p)
				if err == nil {
					s.cache.drop(ref.Path[2:])
					var got []byte
					got, err = s.Get(t.Context(), ref)
					if !bytes.Equal(got, p) {
						wrong.Add(1)
					}
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if wrong.Load() != 0 || s3.Failed.Load() < 40 || s3.Slowed.Load() < 10 {
		t.Errorf("%d values wrong; %d requests failed, %d were slow", wrong.Load(), s3.Failed.Load(), s3.Slowed.Load())
	}
	if n, err := s.DeletePrefix(t.Context(), "x"); n != 80 || err != nil {
		t.Errorf("deleted %d, %v", n, err)
	}
}

func TestOpenErrors(t *testing.T) {
	t.Parallel()
	s3 := clustertest.StartS3(t, clustertest.S3Options{})
	down := clustertest.StartS3(t, clustertest.S3Options{})
	down.Down.Store(true)
	gone := "s3://bucket?endpoint=http%3A%2F%2F127.0.0.1%3A1"
	for url, want := range map[string]string{
		"":                     "is not the URL of a store",
		"data/weft":            "is not the URL of a store",
		"file://data/weft":     "write file:///data/weft, with three slashes",
		"file:///":             "names no directory",
		"s3:///prefix":         "names no bucket",
		"s3://bucket/../other": "not a reference of this store",
		"s3://me:secret@b/p":   "leave credentials out of the URL",
		"ftp://host/dir":       `"ftp" is no kind of store`,
		"gs://bucket/prefix":   "gocloud.dev/blob/gcsblob",
		strings.Replace(s3.URL, "bucket", "nobucket", 1): "there is no such bucket",
		s3.URL + "&colour=red":                           "colour",
		gone:                                             "check the URL",
		down.URL:                                         "SlowDown",
		"file:///dev/null/x":                             "not a directory",
	} {
		t.Run(url, func(t *testing.T) {
			t.Parallel()
			s, err := Open(t.Context(), url, Options{Patience: time.Second})
			if err == nil {
				_ = s.Close()
				t.Fatal("opened")
			}
			if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret@") {
				t.Errorf("error %q\nwant %q in it", err, want)
			}
		})
	}
	for want, o := range map[string]Options{
		"Key has 5 bytes":  {Key: []byte("short")},
		"CacheBytes is -2": {CacheBytes: -2},
		"Patience is -1s":  {Patience: -time.Second},
		"Slow is -1s":      {Slow: -time.Second},
	} {
		if _, err := Open(t.Context(), "mem://x", o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func FuzzRef(f *testing.F) {
	good := strings.Repeat("0a", 32)
	for _, path := range []string{"x/" + good, "../" + good, "a/b.c/" + good, good, "//", "a/../" + good} {
		f.Add(path, int64(1))
	}
	f.Fuzz(func(t *testing.T, path string, size int64) {
		hash, err := Ref{path, size}.check()
		if err != nil {
			if !errors.Is(err, ErrRef) {
				t.Errorf("%v is no ErrRef", err)
			}
			return
		}
		// Whatever a file system makes of it, it stays below.
		if p := filepath.Join("root", filepath.FromSlash(path)); filepath.ToSlash(p) != "root/"+path || !filepath.IsLocal(filepath.FromSlash(path)) {
			t.Errorf("%q becomes %q", path, p)
		}
		if !strings.HasSuffix(path, "/"+hash) || size < 0 {
			t.Errorf("%q of %d bytes has hash %q", path, size, hash)
		}
	})
}
