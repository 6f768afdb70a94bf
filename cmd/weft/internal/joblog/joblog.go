// Package joblog remembers which jobs of a run are done, so that another run
// can go on from there.
//
// A joblog is a file of JSON lines. The first describes the run, each other
// one a job that has ended. Lines are only ever added, each by a single write,
// so that of a weft that is killed at most the line being written is torn.
package joblog

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/weft-go/weft/cmd/weft/internal/shell"
)

// Version is the format written here.
const Version = 1

// Header is the first line: what a joblog is of.
type Header struct {
	// Version is the number of the format.
	Version int `json:"weft_joblog"`
	// Command is the command with its placeholders.
	Command []string `json:"command"`
	// Shell says that the command is a script.
	Shell bool `json:"shell,omitempty"`
	// Digest is that of command and shell.
	Digest string `json:"digest"`
	// Started is when the first run began.
	Started time.Time `json:"started"`
}

// NewHeader describes a run of command.
func NewHeader(command []string, shell bool, now time.Time) Header {
	b, _ := json.Marshal(struct {
		C []string
		S bool
	}{command, shell}) // strings and a bool: no error
	return Header{Version, command, shell, Digest(string(b)), now}
}

// Digest is the name of a text: SHA-256 in hex.
func Digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// Entry is one job that has ended.
type Entry struct {
	// Index is the item's place in the input, from 0.
	Index int `json:"index"`
	// Item is its text; bytes that are no UTF-8 are replaced.
	Item string `json:"item"`
	// Digest is that of the item's exact bytes.
	Digest string `json:"digest"`
	// Exit is the exit code, -1 if a signal ended the command or it could not
	// be started.
	Exit int `json:"exit"`
	// Signal is the signal that ended it, as "killed".
	Signal string `json:"signal,omitempty"`
	// Error says what else went wrong: a timeout, a start that failed.
	Error string `json:"error,omitempty"`
	// Start is when the last attempt began.
	Start time.Time `json:"start"`
	// Wall and CPU are the times of the last attempt.
	Wall time.Duration `json:"wall_ns"`
	CPU  time.Duration `json:"cpu_ns"`
	// MaxRSS is the most memory that one process of the job held.
	MaxRSS int64 `json:"max_rss_bytes"`
	// Attempts counts from 1.
	Attempts int `json:"attempts"`
}

// OK reports whether the job succeeded.
func (e *Entry) OK() bool { return e.Exit == 0 && e.Signal == "" && e.Error == "" }

// Error is a joblog that can not be used, said with the mend.
type Error struct{ Msg string }

func (e *Error) Error() string { return e.Msg }

func fail(format string, args ...any) error { return &Error{fmt.Sprintf(format, args...)} }

// WriteError is a joblog that can not be written.
type WriteError struct {
	Path string
	Err  error
}

func (e *WriteError) Error() string {
	return fmt.Sprintf("the joblog %s can not be written: %v", e.Path, bare(e.Err))
}

// Unwrap returns the cause.
func (e *WriteError) Unwrap() error { return e.Err }

func bare(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}

// Done tells which jobs have succeeded.
type Done struct{ digests map[int]string }

// Has reports whether the item at index, with that very text, is done.
func (d Done) Has(index int, item string) bool {
	digest, ok := d.digests[index]
	return ok && digest == Digest(item)
}

// Len is the number of jobs done.
func (d Done) Len() int { return len(d.digests) }

// File is what a joblog is written to.
type File interface {
	io.Writer
	io.Closer
}

// Log is an open joblog. It is not safe for concurrent use.
type Log struct {
	path string
	f    File
	err  error
}

// New writes to f, which holds the header already.
func New(path string, f File) *Log { return &Log{path: path, f: f} }

// Create starts a joblog. A file that has something in it is not touched.
func Create(path string, h Header) (*Log, error) {
	f, err := open(path)
	if err != nil {
		return nil, err
	}
	if size, err := size(f); err != nil || size > 0 {
		_ = f.Close()
		if err != nil {
			return nil, fail("the joblog %s can not be read: %v", path, bare(err))
		}
		return nil, fail("the joblog %s exists; add --resume to go on with its run, or remove it to start over", path)
	}
	return start(path, f, h)
}

func start(path string, f *os.File, h Header) (*Log, error) {
	l := New(path, f)
	if err := l.add(h); err != nil {
		_ = f.Close()
		return nil, err
	}
	return l, nil
}

// Resume opens the joblog of a run of the same command, to go on with it, and
// tells which jobs are done. Without a file it starts one.
func Resume(path string, h Header) (*Log, Done, error) {
	f, err := open(path)
	if err != nil {
		return nil, Done{}, err
	}
	size, err := size(f)
	if err == nil && size == 0 {
		l, err := start(path, f, h)
		return l, Done{}, err
	}
	var done Done
	var whole int64
	if err == nil {
		done, whole, err = read(path, f, h)
	}
	if err == nil && whole < size { // a torn last line
		if e := f.Truncate(whole); e != nil {
			err = &WriteError{path, e}
		}
	}
	if err != nil {
		_ = f.Close()
		return nil, Done{}, err
	}
	return New(path, f), done, nil
}

// Read tells which jobs are done without touching the joblog. No file means
// none.
func Read(path string, h Header) (Done, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Done{}, nil
	}
	if err != nil {
		return Done{}, fail("the joblog %s can not be opened: %v; give --joblog a file that can be read", path, bare(err))
	}
	defer f.Close()
	if size, err := size(f); err == nil && size == 0 {
		return Done{}, nil
	}
	done, _, err := read(path, f, h)
	return done, err
}

func open(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o666)
	if err != nil {
		return nil, fail("the joblog %s can not be opened: %v; give --joblog a file in a directory that exists and can be written", path, bare(err))
	}
	if err := lock(f); err != nil {
		_ = f.Close()
		return nil, fail("the joblog %s is in use by another weft; wait for it, or use another file", path)
	}
	return f, nil
}

func size(f *os.File) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if info.IsDir() {
		return 0, errors.New("it is a directory")
	}
	return info.Size(), nil
}

// read returns what is done and how many bytes of the file are whole lines.
func read(path string, r io.Reader, want Header) (Done, int64, error) {
	done := Done{digests: map[int]string{}}
	in := bufio.NewReaderSize(r, 64<<10)
	var whole int64
	for n := 1; ; n++ {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			if n == 1 {
				return done, 0, fail("%s is not a joblog: its first line has no end; give --joblog another file", path)
			}
			return done, whole, nil // what is left, if anything, is torn
		}
		if err != nil {
			return done, 0, fail("the joblog %s can not be read: %v", path, bare(err))
		}
		if n == 1 {
			if err := check(path, line, want); err != nil {
				return done, 0, err
			}
		} else {
			var e Entry
			if err := json.Unmarshal(line, &e); err != nil || e.Digest == "" || e.Index < 0 {
				return done, 0, fail("the joblog %s, line %d is damaged (%s); remove that line, its job will run again", path, n, excerpt(line))
			}
			if e.OK() {
				done.digests[e.Index] = e.Digest
			}
		}
		whole += int64(len(line))
	}
}

func check(path string, line []byte, want Header) error {
	var got Header
	if err := json.Unmarshal(line, &got); err != nil || got.Version == 0 {
		return fail("%s is not a joblog: it begins with %s; give --joblog another file", path, excerpt(line))
	}
	if got.Version != Version {
		return fail("the joblog %s has format %d and this weft knows %d; finish it with the weft that began it, or start a new one", path, got.Version, Version)
	}
	if got.Digest != want.Digest {
		return fail("the joblog %s is of another command:\n  there: %s\n  here:  %s\nrun that command to resume it, or give --joblog another file",
			path, got.describe(), want.describe())
	}
	return nil
}

func (h Header) describe() string {
	if h.Shell {
		return "--shell -- " + shell.Join(h.Command)
	}
	return shell.Join(h.Command)
}

func excerpt(line []byte) string {
	s := strings.ToValidUTF8(string(bytes.TrimSpace(line)), "?")
	if r := []rune(s); len(r) > 40 {
		s = string(r[:40]) + "..."
	}
	return fmt.Sprintf("%q", s)
}

// Add appends a job. After a failure the joblog is not written any more: each
// call returns that first error.
func (l *Log) Add(e Entry) error { return l.add(e) }

func (l *Log) add(v any) error {
	if l.err != nil {
		return l.err
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	if _, err := l.f.Write(b.Bytes()); err != nil {
		l.err = &WriteError{l.path, err}
	}
	return l.err
}

// Close ends the writing.
func (l *Log) Close() error {
	if f, ok := l.f.(*os.File); ok {
		unlock(f)
	}
	if err := l.f.Close(); err != nil && l.err == nil {
		l.err = &WriteError{l.path, err}
		return l.err
	}
	return nil
}
