package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/weft-go/weft/memo/internal/key"
)

// Limits are bounds for one trimming; 0 is none.
type Limits struct {
	MaxBytes, MaxItems int64
	MaxAge             time.Duration
}

// Trimmed is what a trimming removed.
type Trimmed struct{ Items, Bytes int64 }

// room is how far below the bounds the background goes, in hundredths, so that
// it does not start for every entry.
const room = 5

// trimmer is the one goroutine that trims in the background, while there is
// something to do.
type trimmer struct {
	mu      sync.Mutex
	running chan struct{} // closed when it has ended
	cancel  context.CancelFunc
	stopped bool
	puts    int
	checked time.Time
	aged    time.Time // when old entries were looked for

	lookAfter int // see there
	lookMost  int64
}

// checkEvery and checkPuts say how often a process that puts entries looks at
// the totals.
const (
	checkEvery = time.Second
	checkPuts  = 64
)

// limit looks at the totals now and then, and starts the trimmer if the bounds
// are passed, or a new segment of the journal is due.
func (s *Store) limit() {
	t := &s.trim
	now := s.c.Now()
	t.mu.Lock()
	t.puts++
	small := s.c.MaxItems > 0 && s.c.MaxItems < 100*checkPuts
	bounded := s.c.MaxBytes > 0 || s.c.MaxItems > 0 || s.c.MaxAge > 0
	due := small || t.puts >= checkPuts || bounded && (now.Sub(t.checked) >= checkEvery || now.Before(t.checked))
	if due {
		t.puts, t.checked = 0, now
	}
	t.mu.Unlock()
	if !due {
		return
	}
	items, bytes := s.j.totals(s)
	over := s.c.MaxBytes > 0 && bytes > s.c.MaxBytes || s.c.MaxItems > 0 && items > s.c.MaxItems
	if s.c.MaxAge > 0 {
		// For age alone there is no hurry: what is too old is a miss anyway.
		t.mu.Lock()
		if since := now.Sub(t.aged); since > min(s.c.MaxAge/4, time.Hour) || since < 0 {
			t.aged, over = now, true
		}
		t.mu.Unlock()
	}
	switch lost, long := s.j.state(); {
	case over || bounded && lost:
		s.background(func(ctx context.Context) {
			l := Limits{MaxBytes: less(s.c.MaxBytes), MaxItems: less(s.c.MaxItems), MaxAge: s.c.MaxAge}
			if _, err := s.trimTo(ctx, l, false); err != nil && ctx.Err() == nil {
				s.warn("trim", "the cache can't be trimmed; it may grow past its bounds", "err", err)
			}
		})
	case long:
		s.background(func(context.Context) {
			if unlock, err := s.tryMaintenance(); err == nil && unlock != nil {
				if _, long := s.j.state(); long {
					_ = s.j.rotate(s) // else it is tried again
				}
				unlock()
			}
		})
	}
}

func less(n int64) int64 {
	if n == 0 {
		return 0
	}
	return max(1, n-n*room/100)
}

// state tells whether the journal has lost its totals, and whether its last
// segment is full.
func (j *journal) state() (lost, long bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.lost, j.read > segmentSize
}

// background runs f unless something runs already.
func (s *Store) background(f func(ctx context.Context)) {
	t := &s.trim
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stopped || t.running != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	t.running, t.cancel = done, cancel
	go func() {
		defer func() {
			cancel()
			t.mu.Lock()
			t.running = nil
			t.mu.Unlock()
			close(done)
		}()
		f(ctx)
	}()
}

// Idle waits until nothing runs in the background.
func (s *Store) Idle() {
	s.trim.mu.Lock()
	done := s.trim.running
	s.trim.mu.Unlock()
	if done != nil {
		<-done
	}
}

func (t *trimmer) stop() {
	t.mu.Lock()
	t.stopped = true
	done := t.running
	if t.cancel != nil {
		t.cancel()
	}
	t.mu.Unlock()
	if done != nil {
		<-done
	}
}

// Trim removes the least recently used entries until the limits hold. It waits
// for another trimming to end. It costs what removing a file costs and
// reads no other entries, except where the journal was lost.
func (s *Store) Trim(ctx context.Context, l Limits) (Trimmed, error) {
	if !s.Writable() {
		return Trimmed{}, errors.New("the cache is read only")
	}
	return s.trimTo(ctx, l, true)
}

func (s *Store) trimTo(ctx context.Context, l Limits, wait bool) (t Trimmed, err error) {
	unlock, err := s.tryMaintenance()
	if wait && err == nil && unlock == nil {
		unlock, err = s.lockMaintenance(ctx)
	}
	if err != nil || unlock == nil {
		return t, err
	}
	defer unlock()
	s.sweepTemp()
	if lost, _ := s.j.state(); lost {
		if err := s.rebuildAll(ctx); err != nil {
			return t, err
		}
	}
	t, short, err := s.trimJournal(ctx, l)
	if err == nil && short {
		// The journal has come to its end and the limits still don't hold: it
		// has lost something.
		if err = s.rebuildAll(ctx); err == nil {
			var more Trimmed
			more, _, err = s.trimJournal(ctx, l)
			t.Items, t.Bytes = t.Items+more.Items, t.Bytes+more.Bytes
		}
	}
	return t, err
}

// trimJournal goes through the journal from its oldest record on. short is set
// if that was not enough.
func (s *Store) trimJournal(ctx context.Context, l Limits) (t Trimmed, short bool, err error) {
	items, bytes := s.j.totals(s)
	now := s.c.Now()
	over := func() bool {
		return l.MaxBytes > 0 && bytes-t.Bytes > l.MaxBytes || l.MaxItems > 0 && items-t.Items > l.MaxItems
	}
	old := func(r record) bool { return l.MaxAge > 0 && now.Sub(r.time) > l.MaxAge }
	if !over() && l.MaxAge == 0 {
		return t, false, nil
	}
	// What is trimmed must not be in the segment that others add to.
	if err := s.j.rotate(s); err != nil {
		return t, false, err
	}
	list, err := s.segments()
	if err != nil {
		return t, false, err
	}
	seq, at := s.trimmedTo()
	var gone []key.Key
	done := Trimmed{}
	settle := func() {
		s.j.add(s, record{kind: adjust, time: now, items: done.Items - t.Items, bytes: done.Bytes - t.Bytes})
		done = t
		s.noteGone(gone)
		gone = gone[:0]
		_ = s.replace("log/trimmed", fmt.Appendf(nil, "%d %d\n", seq, at))
	}
	defer func() {
		if len(gone) > 0 || at > 0 {
			settle()
		}
	}()
	finished := false
	vain := 0 // files looked at that stay
	var ahead *overtaken
	for _, n := range list[:max(0, len(list)-1)] {
		if n < seq {
			s.dropSegment(n, now)
			continue
		}
		if n > seq {
			seq, at = n, 0
		}
		var failed error
		err := s.scan(n, at, func(r record, end int64) bool {
			if r.kind == put || r.kind == touched {
				if !over() && !old(r) {
					finished = true
					return false
				}
				if ahead != nil && ahead.ended(n, end) {
					if int64(ahead.skipped) < s.trim.lookMost/2 {
						vain = 0 // it did not pay; look for a while
					}
					ahead = nil
				}
				if ahead == nil && vain >= s.trim.lookAfter {
					if ahead, failed = s.lookAhead(ctx, list, n, at, s.trim.lookMost); failed != nil {
						return false
					}
				}
				if ahead != nil && ahead.has(r, n, end) {
					ahead.skipped++
				} else if size, ok := s.evict(r); ok {
					t.Items, t.Bytes = t.Items+1, t.Bytes+size
					gone = append(gone, r.key)
					s.count.evicted.Add(1)
					if len(gone) == 4096 {
						at = end
						settle()
					}
				} else {
					vain++
				}
			}
			at = end
			if ctx.Err() != nil {
				failed = context.Cause(ctx)
				return false
			}
			return true
		})
		if err == nil {
			err = failed
		}
		if err != nil || finished {
			return t, false, err
		}
		s.dropSegment(n, now)
	}
	return t, over(), nil
}

// dropSegment removes a segment that is used up, when nobody can still be
// adding to it.
func (s *Store) dropSegment(n uint64, now time.Time) {
	name := segmentName(n)
	next, err := s.fs.Stat(segmentName(n + 1))
	if err == nil && now.Sub(next.ModTime()) > graceTime {
		_ = s.fs.Remove(name)
	}
}

// evict removes the entry of a record, unless it has been used since.
func (s *Store) evict(r record) (size int64, ok bool) {
	name := entryName(r.key)
	info, err := s.fs.Stat(name)
	if err != nil || info.ModTime().After(r.time) {
		return 0, false
	}
	if s.fs.Remove(name) != nil {
		return 0, false
	}
	return info.Size(), true
}

// trimmedTo is how far the journal is used up.
func (s *Store) trimmedTo() (seq uint64, at int64) {
	b, err := s.readFile("log/trimmed", 64)
	if err != nil {
		return 0, 0
	}
	first, second, _ := strings.Cut(strings.TrimSpace(string(b)), " ")
	seq, err1 := strconv.ParseUint(first, 10, 64)
	at, err2 := strconv.ParseInt(second, 10, 64)
	if err1 != nil || err2 != nil || at < 0 {
		return 0, 0
	}
	return seq, at
}

// staleTemp is when a file being written belongs to nobody any more.
const staleTemp = time.Hour

func (s *Store) sweepTemp() {
	list, err := s.fs.ReadDir("tmp")
	if err != nil {
		return
	}
	for _, d := range list {
		info, err := d.Info()
		if err == nil && s.c.Now().Sub(info.ModTime()) > staleTemp {
			_ = s.fs.Remove("tmp/" + d.Name())
		}
	}
}

// walked is an entry's file.
type walked struct {
	key  key.Key
	used time.Time
	size int64
}

// walk calls f for each entry's file, and odd for what does not belong there.
func (s *Store) walk(ctx context.Context, f func(w walked) error, odd func(name string)) error {
	dirs, err := s.fs.ReadDir("e")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, d := range dirs {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		list, err := s.fs.ReadDir("e/" + d.Name())
		if err != nil {
			odd("e/" + d.Name())
			continue
		}
		for _, file := range list {
			k, err := key.Parse(d.Name() + file.Name())
			if err != nil {
				odd("e/" + d.Name() + "/" + file.Name())
				continue
			}
			info, err := file.Info()
			if err != nil {
				continue // removed meanwhile
			}
			if err := f(walked{k, info.ModTime(), info.Size()}); err != nil {
				return err
			}
		}
	}
	return nil
}

// rebuildAll reads the directory and writes the journal anew.
func (s *Store) rebuildAll(ctx context.Context) error {
	var all []walked
	if err := s.walk(ctx, func(w walked) error { all = append(all, w); return nil }, func(string) {}); err != nil {
		return err
	}
	return s.rebuild(all)
}
