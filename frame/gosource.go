//go:build cgo

package frame

import (
	"context"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/duckdb/duckdb-go/v2/mapping"
)

// goSource is rows from Go.
type goSource interface {
	words() string
	columns() []Column
	layout() []goType
	rows() int // how many there are, -1 if that is not known
	// open begins to read. What it starts ends with ctx and by close.
	open(ctx context.Context, eng *Engine) scan
}

// scan is one reading of a source: a taker or a filler.
type scan interface {
	// close is called when no thread reads any more.
	close()
}

// taker has rows that lie in Go's memory.
type taker interface {
	// take returns rows for one thread, none at the end. They stay as they are
	// until its next call with the same local.
	take(l *local) (base unsafe.Pointer, n int, err error)
}

// filler writes rows to the engine's vectors itself.
type filler interface {
	// fill writes the columns want, and returns how many rows, 0 at the end.
	fill(l *local, chunk mapping.DataChunk, want []int) (int, error)
}

// local is what one thread of the engine holds of a scan.
type local struct {
	base unsafe.Pointer
	n    int // rows that are not yet with the engine
	keep any // keeps base alive
}

// feed is a source within a query.
type feed struct {
	src     goSource
	ctx     context.Context
	eng     *Engine
	threads int

	mu    sync.Mutex
	scans map[uint64]*feedScan
	last  uint64
}

type feedScan struct {
	scan scan
	want []int // the source's columns, by the chunk's; -1 is one that only counts rows
}

type feedList struct{ *registry[*feed] }

var feeds = feedList{&feedsByID}

func (l feedList) remove(id uint64) {
	f, ok := l.drop(id)
	if !ok {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.scans {
		s.scan.close()
	}
}

// feed makes a source known to the engine and returns its SQL.
func (r *run) feed(src goSource, ordered bool) (string, error) {
	if c, ok := src.(interface {
		check(context.Context, *Engine) error
	}); ok {
		if err := c.check(r.ctx, r.eng); err != nil {
			return "", err
		}
	}
	f := &feed{src: src, ctx: r.ctx, eng: r.eng, threads: r.eng.cfg.Threads, scans: map[uint64]*feedScan{}}
	if ordered {
		f.threads = 1
	}
	id := feedsByID.add(f)
	r.feeds = append(r.feeds, id)
	return fmt.Sprintf("%s(%d)", sourceName, id), nil
}

func (f *feed) start(want []int) (uint64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last++
	f.scans[f.last] = &feedScan{f.src.open(f.ctx, f.eng), want}
	return f.last, nil
}

func (f *feed) fill(id uint64, l *local, chunk mapping.DataChunk) (int, error) {
	f.mu.Lock()
	s := f.scans[id]
	f.mu.Unlock()
	if own, ok := s.scan.(filler); ok {
		return own.fill(l, chunk, s.want)
	}
	if l.n == 0 {
		var err error
		if l.base, l.n, err = s.scan.(taker).take(l); err != nil || l.n == 0 {
			return 0, err
		}
	}
	layout := f.src.layout()
	stride := f.src.(interface{ stride() uintptr }).stride()
	n := min(l.n, int(mapping.VectorSize()))
	for i, c := range s.want {
		if c < 0 || c >= len(layout) {
			continue
		}
		v := mapping.DataChunkGetVector(chunk, mapping.IdxT(i))
		if err := layout[c].enc(v, 0, n, unsafe.Add(l.base, layout[c].offset), stride); err != nil {
			return 0, fmt.Errorf("frame: column %q: %w", layout[c].name, err)
		}
	}
	l.n -= n
	if l.n > 0 {
		l.base = unsafe.Add(l.base, uintptr(n)*stride)
	}
	return n, nil
}

// shape is how the rows of a type look.
type shape[T any] struct{ cols []goType }

func shapeOf[T any]() (shape[T], error) {
	cols, err := layoutOf(reflect.TypeFor[T]())
	return shape[T]{cols}, err
}

func (s shape[T]) layout() []goType { return s.cols }

func (s shape[T]) stride() uintptr {
	var t T
	return unsafe.Sizeof(t)
}

func (s shape[T]) columns() []Column {
	out := make([]Column, len(s.cols))
	for i, c := range s.cols {
		out[i] = Column{c.name, c.typ}
	}
	return out
}

// FromSlice makes a frame of a slice: structs, whose fields are the columns as
// for Rows, or plain values, in a column called value. The slice is not
// copied and must not be changed while the frame is used.
//
// time.Time becomes a timestamp in UTC to the microsecond, time.Duration an
// interval; nil pointers, nil slices and invalid sql.Nulls become null.
func FromSlice[T any](rows []T) *Frame {
	s, err := shapeOf[T]()
	return source(goStep{"FromSlice", sliceSource[T]{s, rows}}, err)
}

type sliceSource[T any] struct {
	shape[T]
	list []T
}

func (s sliceSource[T]) words() string {
	return fmt.Sprintf("read %d rows of %v from a slice", len(s.list), reflect.TypeFor[T]())
}
func (s sliceSource[T]) rows() int                          { return len(s.list) }
func (s sliceSource[T]) open(context.Context, *Engine) scan { return &sliceScan[T]{list: s.list} }

type sliceScan[T any] struct {
	list []T
	at   atomic.Int64
}

const batchRows = 2048 // the engine's vectors

func (s *sliceScan[T]) take(*local) (unsafe.Pointer, int, error) {
	from := int(s.at.Add(batchRows)) - batchRows
	if from >= len(s.list) {
		return nil, 0, nil
	}
	part := s.list[from:min(from+batchRows, len(s.list))]
	return unsafe.Pointer(unsafe.SliceData(part)), len(part), nil
}

func (s *sliceScan[T]) close() {}

// FromSeq makes a frame of a sequence, with columns as FromSlice. The
// sequence runs anew each time that the frame does, in a goroutine of its own, and some thousand
// rows ahead of the engine; they are never held as a whole. It must come to
// an end when yield says so, and soon: a query returns only then.
func FromSeq[T any](seq iter.Seq[T]) *Frame {
	s, err := shapeOf[T]()
	return source(goStep{"FromSeq", seqSource[T]{s, func(yield func(T, error) bool) {
		for v := range seq {
			if !yield(v, nil) {
				return
			}
		}
	}}}, err)
}

// FromSeq2 is FromSeq for sequences that may fail, such as Rows and
// weft.Stream. The first error ends the query.
func FromSeq2[T any](seq iter.Seq2[T, error]) *Frame {
	s, err := shapeOf[T]()
	return source(goStep{"FromSeq2", seqSource[T]{s, seq}}, err)
}

type seqSource[T any] struct {
	shape[T]
	seq iter.Seq2[T, error]
}

func (s seqSource[T]) words() string {
	return fmt.Sprintf("read rows of %v from a sequence", reflect.TypeFor[T]())
}
func (s seqSource[T]) rows() int { return -1 }

func (s seqSource[T]) open(ctx context.Context, eng *Engine) scan {
	ctx, cancel := context.WithCancel(ctx)
	c := &seqScan[T]{ctx: ctx, cancel: cancel, full: make(chan []T, 2*eng.cfg.Threads), empty: make(chan []T, 4*eng.cfg.Threads)}
	c.producer.Go(func() { c.produce(s.seq) })
	return c
}

type seqScan[T any] struct {
	ctx         context.Context
	cancel      context.CancelFunc
	full, empty chan []T
	err         error // before full is closed
	producer    sync.WaitGroup
}

func (s *seqScan[T]) produce(seq iter.Seq2[T, error]) {
	defer close(s.full)
	defer func() {
		if v := recover(); v != nil {
			s.err = newPanic(v)
		}
	}()
	var batch []T
	fresh := func() []T {
		select {
		case b := <-s.empty:
			return b
		default:
			return make([]T, 0, batchRows)
		}
	}
	send := func() bool {
		select {
		case s.full <- batch:
			return true
		case <-s.ctx.Done():
			return false
		}
	}
	batch = fresh()
	for v, err := range seq {
		if err != nil {
			s.err = err
			return
		}
		batch = append(batch, v)
		if len(batch) == cap(batch) {
			if !send() {
				return
			}
			batch = fresh()
		}
	}
	if len(batch) > 0 {
		send()
	}
}

func (s *seqScan[T]) take(l *local) (unsafe.Pointer, int, error) {
	if old, ok := l.keep.([]T); ok {
		clear(old)
		select {
		case s.empty <- old[:0]:
		default:
		}
		l.keep = nil
	}
	select {
	case b, ok := <-s.full:
		if !ok {
			return nil, 0, s.err
		}
		l.keep = b
		return unsafe.Pointer(unsafe.SliceData(b)), len(b), nil
	case <-s.ctx.Done():
		return nil, 0, stopped(s.ctx)
	}
}

func (s *seqScan[T]) close() {
	s.cancel()
	s.producer.Wait()
}

// SQL makes a frame of a query of the engine's SQL, in which the frames have
// the names given: SQL("SELECT ... FROM logs", map[string]*Frame{"logs": f}).
// It must be one query; what it reads beside the frames is up to it.
func SQL(query string, frames map[string]*Frame) *Frame {
	names := make([]string, 0, len(frames))
	for name := range frames {
		names = append(names, name)
	}
	slices.Sort(names)
	s := sqlStep{text: query, names: names}
	f := &Frame{}
	var in []*node
	for _, name := range names {
		g := frames[name]
		in = append(in, g.n)
		if g.err != nil {
			f.err = g.err
		}
		if f.eng == nil {
			f.eng = g.eng
		} else if g.eng != nil && g.eng != f.eng {
			f.err = fmt.Errorf("SQL over frames on two engines; put both on the same with On")
		}
	}
	f.n = &node{step: s, in: in, at: here()}
	return f
}
