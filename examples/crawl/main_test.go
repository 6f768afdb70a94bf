package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestCrawl(t *testing.T) {
	t.Parallel()
	urls, done := demo(20, time.Millisecond, 6)
	defer done()
	var w bytes.Buffer
	if err := run(t.Context(), &w, urls); err != nil {
		t.Error(err)
	}
	if s := w.String(); strings.Count(s, "not there: ") != 3 || !strings.Contains(s, "60 done") {
		t.Error(s)
	}
}

func TestFailure(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
	}))
	defer s.Close()
	var w bytes.Buffer
	err := run(t.Context(), &w, []string{s.URL, "http://%", s.URL})
	if err == nil || !strings.Contains(err.Error(), "item 1") || !strings.Contains(w.String(), "2 done, 1 failed") {
		t.Error(err, w.String())
	}
}
