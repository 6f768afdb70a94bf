package proc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/internal/cpus"
)

// Config is how a pool of worker processes is to be. The zero value works.
type Config struct {
	// Workers is how many processes there are: 0 is one for each CPU slot, -1
	// one for each CPU that this process may use, -2 all CPUs but one, and so
	// on. Inside a worker process, 0 is its share of the CPUs. Defaults to 0.
	Workers int
	// MaxTasks ends a worker after so many items and starts another: for
	// functions that leak. Defaults to 0: no limit.
	MaxTasks int
	// MemoryLimit is the most memory, in bytes of resident set, that a worker
	// may hold. One that passes it is killed, and the item that it ran fails. It
	// is looked at every 10 ms or so; beside that the worker's Go collector is
	// told to stay below nine tenths of it, and the kernel refuses it data
	// memory far beyond (RLIMIT_DATA). Defaults to 0: no limit.
	MemoryLimit int64
	// TaskTimeout is the longest that an item may run. The process that runs it
	// is killed then, that one only, and the item fails. Defaults to 0: no limit.
	TaskTimeout time.Duration
	// Setup runs once in each worker before its first item. It is a
	// registered function (weft.Register). If it fails in the first workers, so
	// does Start. Defaults to nothing.
	Setup func(context.Context) error
	// Env is added to the environment of the workers, each entry as KEY=value.
	// Defaults to nothing.
	Env []string
	// Dir is the working directory of the workers. Defaults to that of this
	// process.
	Dir string
	// Nice is added to the workers' nice value: 1 to 19 gives way to other
	// programs. Defaults to 0.
	Nice int
	// IdleTimeout ends a worker that had nothing to do for so long; it is
	// started again when there is. Defaults to 0: workers stay until Close.
	IdleTimeout time.Duration
	// Stdout and Stderr get what the workers print, line by line with the
	// worker's name before each. A worker that prints more than a MiB is cut to
	// 64 KiB a second, and the lines left out are counted. Default to those of
	// this process.
	Stdout, Stderr io.Writer
	// ShareFrom is the size in bytes from which slices of numbers travel
	// through shared memory instead of being copied through a socket; -1 is
	// never. A slice that comes so is the function's own, to read and write,
	// until it returns: what it keeps longer it must copy. While a Map, Each
	// or Reduce lasts the caller must not change it. Defaults to 1 MiB.
	ShareFrom int

	name  string        // of the setup
	quiet time.Duration // after which a worker that does not answer is killed
	late  time.Duration // after which one that has not come to Init is
}

const (
	defaultShareFrom = 1 << 20
	// defaultQuiet is how long a worker may leave a question unanswered, though
	// it only takes its runtime to do so: it is stopped, or out of order.
	defaultQuiet = 10 * time.Second
	defaultLate  = 10 * time.Second
	mostWorkers  = 4096
)

// withDefaults returns c with the defaults filled in.
func (c Config) withDefaults() Config {
	if c.Workers <= 0 {
		c.Workers = cpus.Workers(c.Workers, cpus.Get())
	}
	if c.Stdout == nil {
		c.Stdout = os.Stdout
	}
	if c.Stderr == nil {
		c.Stderr = os.Stderr
	}
	c.ShareFrom = cmp.Or(c.ShareFrom, defaultShareFrom)
	c.quiet = cmp.Or(c.quiet, defaultQuiet)
	c.late = cmp.Or(c.late, defaultLate)
	return c
}

func (c *Config) validate() error {
	switch {
	case c.Workers > mostWorkers:
		return fmt.Errorf("the config's Workers is %d; at most %d processes are started", c.Workers, mostWorkers)
	case c.MaxTasks < 0:
		return fmt.Errorf("MaxTasks is %d; give a number of items above 0, or 0 for no limit", c.MaxTasks)
	case c.MemoryLimit < 0:
		return fmt.Errorf("MemoryLimit is %d; give a number of bytes above 0, or 0 for no limit", c.MemoryLimit)
	case c.MemoryLimit > 0 && c.MemoryLimit < leastMemory:
		return fmt.Errorf("MemoryLimit is %d bytes; a Go process alone takes several MiB, so give at least %d", c.MemoryLimit, leastMemory)
	case c.TaskTimeout < 0:
		return fmt.Errorf("TaskTimeout is %v; give a time above 0, or 0 for no limit", c.TaskTimeout)
	case c.IdleTimeout < 0:
		return fmt.Errorf("IdleTimeout is %v; give a time above 0, or 0 to keep workers", c.IdleTimeout)
	case c.Nice < 0 || c.Nice > 19:
		return fmt.Errorf("the config's Nice is %d; give 0 to 19", c.Nice)
	case c.ShareFrom < -1:
		return fmt.Errorf("ShareFrom is %d; give a number of bytes above 0, or -1 to copy everything", c.ShareFrom)
	}
	for _, kv := range c.Env {
		if k, _, ok := strings.Cut(kv, "="); !ok || k == "" || strings.ContainsRune(kv, 0) {
			return fmt.Errorf("the config's Env has %q; entries are KEY=value", kv)
		}
	}
	if c.Dir != "" {
		if fi, err := os.Stat(c.Dir); err != nil {
			return fmt.Errorf("the config's Dir: %w", err)
		} else if !fi.IsDir() {
			return fmt.Errorf("the config's Dir: %s is no directory", c.Dir)
		}
	}
	if c.Setup != nil {
		f, err := weft.Registered(c.Setup)
		if err != nil {
			return fmt.Errorf("the config's Setup: %w", err)
		}
		c.name = f.Name()
	}
	return nil
}

const leastMemory = 16 << 20

var errNoInit = errors.New("proc: Start: call proc.Init() as the first line of main (in tests: of TestMain); a worker process is this program started again, and Init is where it becomes one")
