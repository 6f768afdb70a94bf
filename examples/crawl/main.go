// Crawl fetches pages from three hosts, with manners: at most eight requests to
// one host at once, less when a host says that it is too much, further
// attempts for what fails, and a list of what could not be had.
//
//	go run ./examples/crawl              from servers that it starts itself
//	go run ./examples/crawl URL...
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/weft-go/weft"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	flag.Parse()
	urls := flag.Args()
	done := func() {}
	if len(urls) == 0 {
		urls, done = demo(100, 15*time.Millisecond, 6)
	}
	err := run(ctx, os.Stdout, urls)
	done()
	if err != nil {
		fmt.Fprintln(os.Stderr, "crawl:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, w io.Writer, urls []string) error {
	var report weft.Report
	pages, err := weft.Map(ctx, urls, fetch,
		weft.PerKey(host, 8),         // of one host's pages at once
		weft.Retry(6),                // attempts in all, ever longer apart
		weft.Timeout(10*time.Second), // for each attempt
		weft.KeepGoing(),             // one page that fails does not end it
		weft.Name("crawl"), weft.ReportTo(&report))
	fmt.Fprint(w, report)
	total := 0
	for _, p := range pages {
		total += p.bytes
		if p.missing {
			fmt.Fprintln(w, "not there:", p.url)
		}
	}
	fmt.Fprintf(w, "%d bytes in all\n", total)
	return err // all that failed, in the order of the URLs
}

type page struct {
	url     string
	bytes   int
	missing bool
}

func host(link string) string {
	u, err := url.Parse(link)
	if err != nil {
		return ""
	}
	return u.Host
}

const mostBytes = 10 << 20

func fetch(ctx context.Context, link string) (page, error) {
	p := page{url: link}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, link, nil)
	if err != nil {
		return p, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return p, err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
		n, err := io.Copy(io.Discard, io.LimitReader(resp.Body, mostBytes))
		p.bytes = int(n)
		return p, err
	case http.StatusNotFound:
		p.missing = true // a result: asking again would not change it
		return p, nil
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		// Weft halves what is in flight, waits, and tries again.
		seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
		return p, fmt.Errorf("%s: %w", link, weft.BackOff{After: time.Duration(seconds) * time.Second})
	}
	return p, fmt.Errorf("%s: %s", link, resp.Status)
}

// demo starts three servers with n pages each. They take latency to answer,
// have one page less than they should, and refuse more than most requests at
// once.
func demo(n int, latency time.Duration, most int64) (urls []string, done func()) {
	var servers []*httptest.Server
	for range 3 {
		var running atomic.Int64
		servers = append(servers, httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			now := running.Add(1)
			defer running.Add(-1)
			if now > most {
				w.Header().Set("Retry-After", "0")
				w.WriteHeader(http.StatusTooManyRequests)
				return
			}
			time.Sleep(latency)
			switch {
			case r.URL.Path == "/13":
				http.NotFound(w, r)
			default:
				fmt.Fprintf(w, "this is page %s\n", r.URL.Path)
			}
		})))
	}
	for i := range n {
		for _, s := range servers {
			urls = append(urls, fmt.Sprintf("%s/%d", s.URL, i))
		}
	}
	return urls, func() {
		for _, s := range servers {
			s.CloseClientConnections()
			s.Close()
		}
	}
}
