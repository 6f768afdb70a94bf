package clustertest

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// S3Options says how a store misbehaves. The zero value behaves.
type S3Options struct {
	// FailEvery answers one request in so many with "503 Slow Down".
	FailEvery int
	// SlowEvery answers one request in so many after Delay only.
	SlowEvery int
	Delay     time.Duration
}

// S3 is an S3 store in memory that runs for a test.
type S3 struct {
	// URL opens it: s3://bucket/prefix?endpoint=...
	URL string
	// Environ is what a process needs to open it, as "KEY=VALUE".
	Environ []string
	// Requests, Failed and Slowed count.
	Requests, Failed, Slowed atomic.Int64
	// Down makes it fail every request while it is set.
	Down atomic.Bool
}

// StartS3 runs an S3 store until the test ends. Credentials are set in this
// process's environment as far as there are none; children inherit them.
func StartS3(t testing.TB, o S3Options) *S3 {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("bucket"); err != nil {
		t.Fatal(err)
	}
	s := &S3{}
	inner := gofakes3.New(backend, gofakes3.WithLogger(gofakes3.DiscardLog())).Server()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := s.Requests.Add(1)
		if s.Down.Load() || o.FailEvery > 0 && n%int64(o.FailEvery) == 0 {
			s.Failed.Add(1)
			w.Header().Set("Content-Type", "application/xml")
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write([]byte(`<?xml version="1.0" encoding="UTF-8"?><Error><Code>SlowDown</Code><Message>injected</Message></Error>`))
			return
		}
		if o.SlowEvery > 0 && n%int64(o.SlowEvery) == 0 {
			s.Slowed.Add(1)
			select {
			case <-time.After(o.Delay):
			case <-r.Context().Done():
				return
			}
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s.Environ = []string{"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test"}
	setOnce(t)
	s.URL = "s3://bucket/prefix?endpoint=" + url.QueryEscape(server.URL)
	return s
}

// setOnce sets the credentials for this process. They are constant, so tests
// in parallel do not disturb each other.
func setOnce(t testing.TB) {
	for _, key := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		if os.Getenv(key) == "" {
			if err := os.Setenv(key, "test"); err != nil {
				t.Fatal(err)
			}
		}
	}
}
