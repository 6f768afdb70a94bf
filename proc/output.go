package proc

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// longestLine is where a line without an end is cut.
	longestLine = 8 << 10
	// A worker may print outputBurst at once and outputRate a second.
	outputBurst = 1 << 20
	outputRate  = 64 << 10
	// keptLines and keptLine bound what is kept of stderr for errors.
	keptLines = 10
	keptLine  = 300
)

// printer writes whole lines of several workers to one writer.
type printer struct {
	mu sync.Mutex
	w  io.Writer
}

func (p *printer) line(name string, line []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	// What can't be printed is lost: nobody is there to be told.
	_, _ = fmt.Fprintf(p.w, "%s: %s\n", name, line)
}

// output forwards what one worker prints on one of its streams.
type output struct {
	name string
	to   *printer
	now  func() time.Time

	allowed float64 // bytes that may be printed now
	at      time.Time
	dropped int64 // bytes left out since the last line

	mu   sync.Mutex
	last []string // the latest lines, if kept
	why  string   // the latest line that says why a Go program ends
	keep bool
}

func newOutput(name string, to *printer, keep bool) *output {
	return &output{name: name, to: to, now: time.Now, allowed: outputBurst, keep: keep}
}

// copy forwards lines until r ends. It goes on reading when nothing more is
// printed, so that the worker never waits.
func (o *output) copy(r io.Reader) {
	o.at = o.now()
	br := bufio.NewReaderSize(r, longestLine)
	for {
		line, err := br.ReadSlice('\n')
		if len(line) > 0 {
			if line[len(line)-1] == '\n' {
				line = line[:len(line)-1]
			}
			o.line(line)
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			o.tell()
			return
		}
	}
}

func (o *output) line(line []byte) {
	if o.keep {
		o.mu.Lock()
		if len(o.last) == keptLines {
			copy(o.last, o.last[1:])
			o.last = o.last[:keptLines-1]
		}
		kept := string(line[:min(len(line), keptLine)])
		o.last = append(o.last, kept)
		if strings.HasPrefix(kept, "panic: ") || strings.HasPrefix(kept, "fatal error: ") || strings.HasPrefix(kept, "runtime: ") {
			o.why = kept
		}
		o.mu.Unlock()
	}
	size := float64(len(line) + 1)
	if o.allowed < size {
		now := o.now()
		o.allowed = min(outputBurst, o.allowed+now.Sub(o.at).Seconds()*outputRate)
		o.at = now
	}
	if o.allowed < size {
		o.dropped += int64(size)
		return
	}
	o.tell()
	o.allowed -= size
	o.to.line(o.name, line)
}

// tell says how much was left out.
func (o *output) tell() {
	if o.dropped > 0 {
		o.to.line(o.name, fmt.Appendf(nil, "... %d bytes left out: more than %d KiB a second", o.dropped, outputRate>>10))
		o.dropped = 0
	}
}

// tail returns the latest lines. If they are the stacks of a Go program that
// ended, the line that says why comes first.
func (o *output) tail() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var lines []string
	if o.why != "" && !slices.Contains(o.last, o.why) {
		lines = append(lines, o.why)
	}
	return append(lines, o.last...)
}
