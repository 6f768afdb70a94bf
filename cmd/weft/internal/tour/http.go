package tour

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

var httpStop = stop{
	name:  "http",
	title: "requests to a local server that takes 20 ms to answer",
	story: "The CPUs have nothing to do; the answers come from elsewhere. How many requests to have under way? " +
		"Too few wait in vain, too many only queue. Nobody tells Weft: it tries, and looks at the throughput.",
	code: "pages, err := weft.Map(ctx, urls, fetch)",
	run:  runHTTP,
}

func runHTTP(ctx context.Context, v *visit) (o outcome, err error) {
	srv, err := serve(ctx, v.cfg.sizes.latency)
	if err != nil {
		return outcome{}, err
	}
	defer func() { err = errors.Join(err, srv.close()) }()
	urls := make([]string, v.cfg.sizes.requests)
	for i := range urls {
		urls[i] = fmt.Sprintf("http://%s/?n=%d", srv.addr, i)
	}
	// Each run opens connections of its own.
	client := &http.Client{}
	closeIdle := func() {
		client.CloseIdleConnections()
		client.Transport = &http.Transport{MaxIdleConnsPerHost: len(urls)}
	}
	defer client.CloseIdleConnections()
	return race(ctx, v, leg[string, int]{
		name: "http", items: urls, sample: v.cfg.sizes.sample, before: closeIdle,
		f: func(ctx context.Context, url string) (int, error) { return fetch(ctx, client, url) },
		result: func(squares []int) string {
			sum := 0
			for _, s := range squares {
				sum += s
			}
			return fmt.Sprintf("%s answers, which add up to %s", count(len(squares)), count(sum))
		},
	})
}

// fetch asks for a number's square.
func fetch(ctx context.Context, client *http.Client, url string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	if resp.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("GET %s: %s", url, resp.Status)
	}
	return strconv.Atoi(string(body))
}

// server answers after a while.
type server struct {
	addr string
	http *http.Server
	done chan error
}

func serve(ctx context.Context, latency time.Duration) (*server, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("no local server can be started: %w; leave this stop out with --stop", err)
	}
	s := &server{addr: l.Addr().String(), done: make(chan error, 1)}
	s.http = &http.Server{
		ReadHeaderTimeout: time.Minute,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			n, err := strconv.Atoi(r.URL.Query().Get("n"))
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			t := time.NewTimer(latency)
			defer t.Stop()
			select {
			case <-t.C:
				_, _ = io.WriteString(w, strconv.Itoa(n*n))
			case <-r.Context().Done():
			}
		}),
	}
	go func() { s.done <- s.http.Serve(l) }()
	return s, nil
}

// close stops the server and returns when it has.
func (s *server) close() error {
	err := s.http.Close()
	if served := <-s.done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}
