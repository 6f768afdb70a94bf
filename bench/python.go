package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// python is the Python side: bench/peers/peers.py in the environment that
// `make peers` sets up. Each timed run is a new interpreter, so that nothing
// is left over from the one before.
type python struct {
	dir   string // bench/peers
	temp  string // for the descriptions of the work
	rate  float64
	files map[string]string // of a work's description, by its name
}

var errNoPeers = errors.New("the Python peers are not set up")

func findPython(dir string) (*python, error) {
	p := &python{dir: dir, files: map[string]string{}}
	if _, err := os.Stat(p.interpreter()); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: there is no %s; run `make peers` first", errNoPeers, p.interpreter())
	} else if err != nil {
		return nil, err
	}
	var err error
	if p.temp, err = os.MkdirTemp("", "weft-bench-"); err != nil {
		return nil, fmt.Errorf("describe the work to the Python peers: %w", err)
	}
	return p, nil
}

func (p *python) close() { os.RemoveAll(p.temp) }

func (p *python) interpreter() string { return filepath.Join(p.dir, "venv", "bin", "python") }

// pythonTimeout is far above what any contender takes.
const pythonTimeout = 2 * time.Minute

// call runs peers.py and decodes each line that it prints.
func (p *python) call(ctx context.Context, line func([]byte) error, args ...string) error {
	return p.script(ctx, "peers.py", line, args...)
}

// script runs a script of bench/peers and decodes each line that it prints.
func (p *python) script(ctx context.Context, name string, line func([]byte) error, args ...string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, pythonTimeout, fmt.Errorf("nothing after %v", pythonTimeout))
	defer cancel()
	args = append([]string{filepath.Join(p.dir, name)}, args...)
	cmd := exec.CommandContext(ctx, p.interpreter(), append(args, "--end-with-stdin")...)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	// The interpreter ends itself and its workers when this pipe ends, which
	// it also does when this process is killed.
	cmd.Cancel = stdin.Close
	cmd.WaitDelay = 2 * time.Second
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("%w: %s", err, lastLine(complaint.String()))
	}
	for s := bufio.NewScanner(&out); s.Scan(); {
		if err := line(s.Bytes()); err != nil {
			return fmt.Errorf("%s printed %q: %w", name, s.Text(), err)
		}
	}
	return nil
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndexByte(s, '\n')+1:]
}

func (p *python) calibrate(ctx context.Context) (c calibration, err error) {
	err = p.call(ctx, func(b []byte) error { return json.Unmarshal(b, &c) },
		"calibrate", "--workers", strconv.Itoa(runtime.GOMAXPROCS(0)))
	if err == nil && c.Rate <= 0 {
		err = errors.New("no figure")
	}
	if err != nil {
		return c, fmt.Errorf("calibrate Python: %w", err)
	}
	return c, nil
}

// contenders returns everything that runs w in Python.
func (p *python) contenders(ctx context.Context, w *work) ([]contender, error) {
	var cs []contender
	err := p.call(ctx, func(b []byte) error {
		var row struct {
			Workload, Peer, Setting string
			Once                    bool
		}
		if err := json.Unmarshal(b, &row); err != nil {
			return err
		}
		if row.Workload == w.name {
			cs = append(cs, contender{peer: row.Peer, setting: row.Setting, once: row.Once, python: true})
		}
		return nil
	}, "list", "--workers", strconv.Itoa(runtime.GOMAXPROCS(0)))
	if err == nil && len(cs) == 0 {
		err = errors.New("none")
	}
	if err != nil {
		return nil, fmt.Errorf("list the Python peers for %s: %w", w.name, err)
	}
	return cs, nil
}

// describe writes what peers.py has to know about w to a file, once. The
// lengths of the items are in it, so both sides work on the same list.
func (p *python) describe(w *work) (string, error) {
	if file, ok := p.files[w.name]; ok {
		return file, nil
	}
	text, err := json.Marshal(map[string]any{
		"workload": w.name,
		"kind":     w.kind,
		"items":    len(w.items),
		"micros":   w.micros,
		"url":      w.url,
		"rate":     p.rate,
		"workers":  runtime.GOMAXPROCS(0),
	})
	if err != nil {
		return "", err
	}
	file := filepath.Join(p.temp, w.name+".json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return "", fmt.Errorf("describe the work to the Python peers: %w", err)
	}
	p.files[w.name] = file
	return file, nil
}

// time runs w once. peers.py checks the results.
func (p *python) time(ctx context.Context, c contender, w *work) (s sample, err error) {
	file, err := p.describe(w)
	if err != nil {
		return s, err
	}
	rows := 0
	err = p.call(ctx, func(b []byte) error {
		var row struct{ Start, Seconds float64 }
		rows++
		err := json.Unmarshal(b, &row)
		s = sample{fromSeconds(row.Start), fromSeconds(row.Seconds)}
		return err
	}, "run", "--work", file, "--peer", c.peer, "--setting", c.setting)
	if err == nil && (rows != 1 || s.elapsed <= 0) {
		err = fmt.Errorf("%d results", rows)
	}
	if err != nil {
		return s, fmt.Errorf("%s, %s on %s: %w", c.peer, c.setting, w.name, err)
	}
	return s, nil
}

// try runs the first n items of w with each setting of a peer and returns how
// long each took.
func (p *python) try(ctx context.Context, peer string, w *work, n int) (map[string]time.Duration, error) {
	file, err := p.describe(w)
	if err != nil {
		return nil, err
	}
	elapsed := map[string]time.Duration{}
	err = p.call(ctx, func(b []byte) error {
		var row struct {
			Setting string
			Seconds float64
		}
		err := json.Unmarshal(b, &row)
		elapsed[row.Setting] = fromSeconds(row.Seconds)
		return err
	}, "run", "--work", file, "--peer", peer, "--items", strconv.Itoa(n), "--tries", strconv.Itoa(choosingTries))
	if err != nil {
		return nil, fmt.Errorf("%s on %s: %w", peer, w.name, err)
	}
	return elapsed, nil
}

func fromSeconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// versions are what pip installed, and the interpreter.
func (p *python) versions(ctx context.Context) (interpreter, libraries string) {
	interpreter, libraries = unknown, unknown
	if out, err := exec.CommandContext(ctx, p.interpreter(), "--version").Output(); err == nil {
		interpreter = strings.TrimSpace(string(out))
	}
	out, err := exec.CommandContext(ctx, p.interpreter(), "-m", "pip", "--disable-pip-version-check", "freeze").Output()
	if err == nil {
		libraries = strings.Join(slices.Collect(strings.FieldsSeq(string(out))), ", ")
	}
	return interpreter, libraries
}
