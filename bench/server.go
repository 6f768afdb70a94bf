package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"
)

// serveHelper is the HTTP server that the benchmarks get pages from. It is a
// process of its own, so that its goroutines are not in the scheduler of the
// contenders. It prints its address and stops when its standard input ends,
// which also happens when its parent is killed.
//
// The Go runtime raises the soft limit of open files to the hard one by
// itself, here and in the clients; 2,000 connections need that.
var serveHelper = benchmark{
	name:   "serve",
	doc:    "answer GET /NAME with NAME after a delay",
	hidden: true,
	run:    serve,
}

func serve(ctx context.Context, out io.Writer, args []string) error {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	delay := flags.Duration("delay", 20*time.Millisecond, "time until the answer")
	if err := flags.Parse(args); err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(*delay)
			io.WriteString(w, r.URL.Path[1:])
		}),
		ErrorLog: log.New(io.Discard, "", 0),
	}
	go func() {
		io.Copy(io.Discard, os.Stdin)
		server.Close()
	}()
	fmt.Fprintf(out, "http://%s\n", l.Addr())
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// startServer starts the helper and returns its address. Its answers take
// delay. The server runs until stop is called.
func startServer(delay time.Duration) (url string, stop func(), err error) {
	exe, err := os.Executable()
	if err != nil {
		return "", nil, fmt.Errorf("start the HTTP server: %w", err)
	}
	cmd := exec.Command(exe, "serve", "-delay", delay.String())
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, fmt.Errorf("start the HTTP server: %w", err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, fmt.Errorf("start the HTTP server: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return "", nil, fmt.Errorf("start the HTTP server: %w", err)
	}
	stop = func() {
		stdin.Close()
		cmd.Wait()
	}
	line := make([]byte, 100)
	n, err := stdout.Read(line)
	if err != nil {
		stop()
		return "", nil, fmt.Errorf("start the HTTP server: it printed no address: %w", err)
	}
	return strings.TrimSpace(string(line[:n])), stop, nil
}
