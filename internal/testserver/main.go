// Testserver is a Temporal server in one process, for tests and development.
//
//	testserver [--db FILE] [--port N] [--tied] [--log LEVEL] [--set KEY=VALUE]...
//
// When the server answers it prints one line, the address that cluster.Dial
// takes: temporal://127.0.0.1:PORT. The namespace "default" is there. State is
// in memory, or in a SQLite file that survives a crash: start it again with
// the same --db and --port, and clients go on where they were.
//
// It is a module of its own, so that nobody who uses Weft links a server.
// scripts/testserver builds it once and keeps it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "testserver:", err)
		}
		os.Exit(2)
	}
}

func run(args []string, in io.Reader, out io.Writer) error {
	flags := flag.NewFlagSet("testserver", flag.ContinueOnError)
	o := options{set: map[string]any{}}
	flags.StringVar(&o.file, "db", "", "keep state in this SQLite `FILE`; without it, in memory")
	flags.IntVar(&o.port, "port", 0, "listen on this port of 127.0.0.1; 0 is any free one")
	flags.StringVar(&o.level, "log", "", "print log lines from this `LEVEL` on to stderr: debug, info, warn, error")
	flags.Func("set", "set `KEY=VALUE` in the server's dynamic configuration; VALUE is JSON or a word", func(s string) error {
		key, value, ok := strings.Cut(s, "=")
		if !ok {
			return errors.New("want KEY=VALUE")
		}
		o.set[key] = setting(value)
		return nil
	})
	tied := flags.Bool("tied", false, "end when stdin is closed, as happens when the process at its other end dies")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}

	stop, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if *tied {
		go func() {
			_, _ = io.Copy(io.Discard, in)
			// At once: whoever tied it is gone, and a file as database must
			// stand a crash anyway.
			os.Exit(0)
		}()
	}

	s, err := newServer(o)
	if err != nil {
		return err
	}
	if err := s.Start(); err != nil {
		return fmt.Errorf("starting on %s: %w", s.address, err)
	}
	ready, done := context.WithTimeout(stop, 60*time.Second)
	err = s.answers(ready)
	done()
	if err == nil {
		_, err = fmt.Fprintf(out, "temporal://%s\n", s.address)
	}
	if err == nil {
		<-stop.Done()
	}
	return errors.Join(err, s.Stop())
}

// setting reads a value as JSON, and as a plain word if it is none. Whole
// numbers are ints, as the server wants them.
func setting(s string) any {
	var v any
	if json.Unmarshal([]byte(s), &v) != nil {
		return s
	}
	if f, ok := v.(float64); ok && f == float64(int(f)) {
		return int(f)
	}
	return v
}
