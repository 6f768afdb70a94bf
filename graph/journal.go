package graph

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"

	"github.com/weft-go/weft/memo"
)

// Journal keeps the result of each task in dir as soon as it is there, so that
// when the program is killed and started again, it goes on where it was: what
// had finished is read, not computed, and what only led to that is not even
// looked at.
//
// A task is known by the program's binary, its function, its inputs down to the
// constants, and its place among equals. What a function reads beside its
// inputs, variables that a closure captures and files among it, is for you to
// mind: use another dir when they change. A new build of the program begins anew
// in the same dir.
//
// A result takes some 60 us to keep, so this is for tasks that take longer.
// Results must be what memo can store. The directory is made for the current
// user only, holds nothing else, and may be removed at any time when no run uses
// it. A dir of another program is an error.
func Journal(dir string) RunOption {
	return runOption(func(c *config) {
		if dir == "" {
			c.fail("Journal: the directory is empty; give one")
		}
		c.journal = dir
	})
}

// journal is an open one.
type journal struct {
	cache   *memo.Cache
	version string
	columns map[uint32]journalColumn
	digests []digest
	gone    map[digest]bool // entries that turned out not to be there
}

// journalColumn keeps results of one type.
type journalColumn interface {
	has(d digest) (bool, error)
	keep(ctx context.Context, d digest, s store, slot uint32) error
	recall(ctx context.Context, d digest, s store, slot uint32) error
}

// errGone is that an entry was there when the run was planned and is not now.
var errGone = errors.New("the result is not in the journal any more")

// program is what the file of that name in a journal holds.
type program struct {
	Journal int    `json:"journal"` // version of the format
	Program string `json:"program"`
}

// openJournal opens the journal in dir, and makes it if need be.
func openJournal(dir string) (*journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := claim(dir, thisProgram()); err != nil {
		return nil, err
	}
	v, err := binaryHash()
	if err != nil {
		return nil, fmt.Errorf("the program's binary can't be read, so nobody knows whether it is the same: %w", err)
	}
	c, err := memo.Open(filepath.Join(dir, "results"), memo.Config{})
	if err != nil {
		return nil, err
	}
	return &journal{cache: c, version: v, columns: map[uint32]journalColumn{}, gone: map[digest]bool{}}, nil
}

// claim writes down whose journal it is, or finds that it is another's.
func claim(dir, name string) error {
	file := filepath.Join(dir, "program")
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		if others, _ := os.ReadDir(dir); len(others) > 0 {
			return fmt.Errorf("the directory %s is not empty and no journal; give an empty one, or one that does not exist", dir)
		}
		b, err = json.Marshal(program{Journal: 1, Program: name})
		if err != nil {
			return err
		}
		tmp := fmt.Sprintf("%s.%d", file, os.Getpid())
		if err := os.WriteFile(tmp, b, 0o600); err != nil {
			return err
		}
		return os.Rename(tmp, file)
	}
	if err != nil {
		return err
	}
	p, err := readProgram(b)
	if err != nil {
		return fmt.Errorf("the journal in %s: %w; remove it to begin anew", dir, err)
	}
	if p.Program != name {
		return fmt.Errorf("the journal in %s belongs to the program %s, and this is %s; give each program a directory of its own", dir, p.Program, name)
	}
	return nil
}

// readProgram reads the file.
func readProgram(b []byte) (p program, err error) {
	if err := json.Unmarshal(b, &p); err != nil {
		return p, fmt.Errorf("its file program can't be read: %w", err)
	}
	if p.Journal != 1 || p.Program == "" {
		return p, fmt.Errorf("its file program has format %d, and this version of Weft reads 1", p.Journal)
	}
	return p, nil
}

// thisProgram is the path of the main package.
func thisProgram() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Path != "" {
		return info.Path
	}
	return filepath.Base(os.Args[0])
}

// binaryHash tells builds of the program apart.
var binaryHash = sync.OnceValues(func() (string, error) {
	name, err := os.Executable()
	if err != nil {
		return "", err
	}
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
})

// look finds out which of the needed tasks have a result. Called while the graph
// is planned, from what is asked for down.
func (j *journal) look(p *planned, n *node, t uint32) (bool, error) {
	d := j.digests[t]
	if j.gone[d] {
		return false, nil
	}
	c, err := j.column(p, n.column)
	if err != nil {
		return false, fmt.Errorf("%s: %w", n.name(), err)
	}
	return c.has(d)
}

func (j *journal) column(p *planned, column uint32) (journalColumn, error) {
	c := j.columns[column]
	if c == nil {
		c = p.columns[column].journal(j.cache, j.version)
		j.columns[column] = c
	}
	return c, nil
}

func (j *journal) close() error { return j.cache.Close() }

// journalKey is the argument under which memo keeps a result.
type journalKey struct{ Task string }

// journalled keeps results of type T.
type journalled[T any] struct{ call memo.Func[journalKey, T] }

type journalResult struct{}

func (c *columnFor[T]) journal(cache *memo.Cache, version string) journalColumn {
	// The function is not what computes: it hands over what was computed, and
	// has nothing where that is what is asked.
	return &journalled[T]{memo.Wrap(cache, func(ctx context.Context, _ journalKey) (v T, err error) {
		if p, ok := ctx.Value(journalResult{}).(*T); ok {
			return *p, nil
		}
		return v, errGone
	}, memo.Version("graph journal "+version))}
}

func key(d digest) journalKey { return journalKey{hex.EncodeToString(d[:])} }

func (j *journalled[T]) has(d digest) (bool, error) { return j.call.Cached(key(d)) }

func (j *journalled[T]) keep(ctx context.Context, d digest, s store, slot uint32) error {
	_, err := j.call(context.WithValue(ctx, journalResult{}, &s.(*results[T]).of[slot]), key(d))
	return err
}

func (j *journalled[T]) recall(ctx context.Context, d digest, s store, slot uint32) error {
	v, err := j.call(ctx, key(d))
	if err == nil {
		s.(*results[T]).of[slot] = v
	}
	return err
}

// recall reads the result of t from the journal.
func (r *run) recall(ctx context.Context, n *node, t uint32) error {
	err := r.journal.columns[n.column].recall(ctx, r.journal.digests[r.task[t]], r.stores[n.column], r.slot[t])
	if err == nil && r.log != nil {
		r.log.cached[t] = true
	}
	return err
}

// keep writes the result of t into the journal.
func (r *run) keep(ctx context.Context, n *node, t uint32) error {
	if err := r.journal.columns[n.column].keep(ctx, r.journal.digests[r.task[t]], r.stores[n.column], r.slot[t]); err != nil {
		return fmt.Errorf("its result can't be kept in the journal: %w", err)
	}
	return nil
}
