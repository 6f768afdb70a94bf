//go:build cgo

package frame

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/weft-go/weft/internal/cpus"
	"github.com/weft-go/weft/internal/memory"
)

// Config is what an engine may use. The zero value takes it from the process.
type Config struct {
	// MemoryLimit is about how much memory, in bytes, the engine may hold in
	// all its queries together. Past it queries spill to disk; those that
	// can't end with ErrMemory. The engine's own account is held to four fifths
	// of this, for what it does not count. What Go makes of results is not in
	// it.
	// Defaults to half of what the process may use: by its cgroups, GOMEMLIMIT
	// and the machine.
	MemoryLimit int64

	// Threads is how many CPUs a query uses at most. They are taken from the
	// account of the process: beside other work of Weft a query has what is
	// free, and always one. -1 is all CPUs, -2 all but one.
	// Defaults to all of 1 or 2 CPUs, all but one of 3 to 8, all but two of
	// more.
	Threads int

	// SpillDir is where what does not fit in memory goes: into a directory of
	// the engine's own, weft-frame-*, which is there only while queries run.
	// After a crash the next engine that is opened there removes it. SpillDir is
	// made if it is not there, and then removed by Close.
	// Defaults to os.TempDir.
	SpillDir string

	// MaxSpill is how many bytes may lie in SpillDir. A query that needs more
	// ends with ErrSpill. -1 is all that the disk has.
	// Defaults to nine tenths of what is free on the disk.
	MaxSpill int64

	// Progress is written how far a query is: on a terminal a line that changes,
	// else a line every ten seconds.
	// Defaults to none.
	Progress io.Writer

	// Options are further settings of DuckDB, by name:
	// "preserve_insertion_order": "false".
	// Defaults to none.
	Options map[string]string
}

const mib = 1 << 20

// withDefaults fills in what is not set.
func (c Config) withDefaults() (Config, error) {
	if c.MemoryLimit < 0 || c.MemoryLimit > 0 && c.MemoryLimit < 16*mib {
		return c, fmt.Errorf("frame: Config.MemoryLimit is %d bytes; it must be at least 16 MiB, or 0 to choose it", c.MemoryLimit)
	}
	if c.MemoryLimit == 0 {
		limit, _ := memory.Limit()
		if limit == memory.None {
			limit = 4 << 30
		}
		c.MemoryLimit = max(limit/2, 64*mib)
	}
	c.Threads = cpus.Workers(c.Threads, cpus.Get())
	if c.Threads > 1024 {
		return c, fmt.Errorf("frame: Config.Threads is %d; it must be at most 1024", c.Threads)
	}
	if c.MaxSpill < -1 {
		return c, fmt.Errorf("frame: Config.MaxSpill is %d bytes; it must be more than 0, -1 for all that the disk has, or 0 to choose it", c.MaxSpill)
	}
	for name := range c.Options {
		if !optionName.MatchString(name) {
			return c, fmt.Errorf("frame: Config.Options has %q, which is no name of a setting", name)
		}
		if owned[strings.ToLower(name)] {
			return c, fmt.Errorf("frame: Config.Options sets %s, which has a field of its own in Config or is Weft's to set", name)
		}
	}
	return c, nil
}

var optionName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// owned are the settings that have a field, or that this package relies on.
var owned = map[string]bool{
	"memory_limit": true, "max_memory": true, "threads": true, "worker_threads": true,
	"temp_directory": true, "max_temp_directory_size": true, "timezone": true,
	"enable_progress_bar": true, "enable_progress_bar_print": true,
	"autoinstall_known_extensions": true, "autoload_known_extensions": true, "allow_community_extensions": true,
}

// spill chooses the directory to spill to and says how much may lie there.
func (c Config) spill() (dir *spillDir, most int64, err error) {
	parent := cmp.Or(c.SpillDir, os.TempDir())
	if dir, err = spillIn(parent); err != nil {
		return nil, 0, noSpillDir(err)
	}
	switch most = c.MaxSpill; most {
	case 0:
		most = max(diskFree(parent)/10*9, 16*mib)
	case -1:
		most = 1 << 60
	}
	return dir, most, nil
}

func noSpillDir(err error) error {
	return fmt.Errorf("frame: no directory to spill to: %w; set Config.SpillDir to one that can be written", err)
}
