package objects

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"gocloud.dev/blob"
	_ "gocloud.dev/blob/azureblob" // for its scheme
	"gocloud.dev/blob/fileblob"
	"gocloud.dev/blob/memblob"
	_ "gocloud.dev/blob/s3blob" // for its scheme
)

// Open opens the store at a URL and sees that it answers, for at most some
// ten seconds.
//
//	file:///directory                made if it is not there
//	s3://bucket/prefix?region=R      also &endpoint=URL&use_path_style=true
//	azblob://container/prefix
//	gs://bucket/prefix               if the program imports gocloud.dev/blob/gcsblob
//	mem://name                       for tests: in this process only
//
// The parameters are those of gocloud.dev/blob; credentials come from the
// environment as each provider's own tools take them, never from the URL.
func Open(ctx context.Context, rawURL string, o Options) (*Store, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	seal, err := newSealer(o.Key)
	if err != nil {
		return nil, err
	}
	u, err := parse(rawURL)
	if err != nil {
		return nil, err
	}
	name := u.Redacted()
	b, err := openBucket(ctx, u)
	if err != nil {
		return nil, &Error{Op: "open", Store: name, Err: err}
	}
	s := &Store{url: name, bucket: b, seal: seal, opts: o}
	err = s.reach(ctx)
	if err == nil {
		s.cache, err = chooseCache(u, o)
	}
	if err != nil {
		_ = b.close()
		return nil, err
	}
	return s, nil
}

// parse checks what gocloud.dev/blob would take without a word.
func parse(rawURL string) (*url.URL, error) {
	u, err := url.Parse(rawURL)
	if err != nil || u.Scheme == "" {
		return nil, fmt.Errorf("objects: %q is not the URL of a store: want file:///directory, s3://bucket/prefix, gs://bucket/prefix or azblob://container/prefix", rawURL)
	}
	if u.User != nil {
		return nil, fmt.Errorf("objects: %s: leave credentials out of the URL; they come from the environment", u.Redacted())
	}
	if u.Scheme == fileblob.Scheme {
		if u.Host != "" && u.Host != "localhost" && u.Host != "." {
			return nil, fmt.Errorf("objects: %s names the host %q: write file:///%s%s, with three slashes", u, u.Host, u.Host, u.Path)
		}
		if strings.Trim(u.Path, "/") == "" {
			return nil, fmt.Errorf("objects: %s names no directory: write file:///path/to/directory", u)
		}
		return u, nil
	}
	if u.Host == "" {
		return nil, fmt.Errorf("objects: %s names no bucket: write %s://bucket/prefix", u, u.Scheme)
	}
	if prefix := strings.Trim(u.Path, "/"); prefix != "" {
		if err := checkPrefix(prefix); err != nil {
			return nil, fmt.Errorf("objects: %s: %w", u, err)
		}
	}
	return u, nil
}

// mems are the stores in memory, by host and path.
var mems = struct {
	sync.Mutex
	m map[string]*blob.Bucket
}{m: map[string]*blob.Bucket{}}

// kept is a bucket in memory, which outlives those who open it.
type kept struct{ cloud }

func (kept) close() error { return nil }

func openBucket(ctx context.Context, u *url.URL) (bucket, error) {
	v := *u
	q := v.Query()
	add := func(key, value string) {
		if !q.Has(key) {
			q.Set(key, value)
		}
	}
	prefix := strings.Trim(u.Path, "/")
	switch u.Scheme {
	case memblob.Scheme:
		mems.Lock()
		defer mems.Unlock()
		name := u.Host + "/" + prefix
		if mems.m[name] == nil {
			mems.m[name] = memblob.OpenBucket(&memblob.Options{NoMD5: true})
		}
		return kept{cloud{mems.m[name]}}, nil
	case fileblob.Scheme:
		prefix = ""
		add("create_dir", "true")
		add("dir_file_mode", "0700")
		// Beside its place, from where it can be renamed.
		add("no_tmp_dir", "true")
		add("metadata", "skip")
	case "s3":
		v.Path = ""
		if q.Has("endpoint") {
			// Stores of one's own have no regions, but a signature needs one.
			add("region", "us-east-1")
			add("use_path_style", "true")
			// Many of them do not know the newer checksums.
			add("request_checksum_calculation", "when_required")
			add("response_checksum_validation", "when_required")
		}
	default:
		v.Path = ""
		if !blob.DefaultURLMux().ValidBucketScheme(u.Scheme) {
			if u.Scheme == "gs" {
				return nil, errors.New("gs:// is not linked into this program, as Google Cloud Storage adds 30 MB: import _ \"gocloud.dev/blob/gcsblob\" for it")
			}
			return nil, fmt.Errorf("%q is no kind of store: want file, s3, gs, azblob, or mem in tests", u.Scheme)
		}
	}
	v.RawQuery = q.Encode()
	b, err := blob.OpenBucket(ctx, v.String())
	if err != nil {
		return nil, err
	}
	if prefix != "" {
		b = blob.PrefixedBucket(b, prefix+"/")
	}
	return cloud{b}, nil
}

// reach sees that the store answers, so that a wrong URL is told at once and
// not by the first value.
func (s *Store) reach(ctx context.Context) error {
	quick := &Store{url: s.url, opts: s.opts}
	quick.opts.Patience = min(s.opts.Patience, 5*time.Second)
	quick.opts.Slow = min(s.opts.Slow, 5*time.Second)
	return quick.try(ctx, "open", "", 0, s.bucket.reach)
}

var errNoBucket = errors.New("there is no such bucket: make it, or check the URL")

// chooseCache opens the cache that the options ask for. A default that cannot
// be had is done without.
func chooseCache(u *url.URL, o Options) (*cache, error) {
	if o.CacheBytes < 0 {
		return nil, nil
	}
	if o.CacheDir != "" {
		dir, err := filepath.Abs(o.CacheDir)
		if err != nil {
			return nil, err
		}
		return openCache(dir, u.Redacted(), o.CacheBytes)
	}
	if u.Scheme == fileblob.Scheme || u.Scheme == memblob.Scheme {
		return nil, nil
	}
	c, err := openCache(defaultCacheDir(), u.Redacted(), o.CacheBytes)
	if err != nil {
		return nil, nil
	}
	return c, nil
}
