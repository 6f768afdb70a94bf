//go:build cgo

package frame

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	bindings "github.com/duckdb/duckdb-go-bindings"
	"github.com/duckdb/duckdb-go/v2/mapping"
)

// run is one query, from the plan to its last row. It has a connection of its
// own. It is used by one goroutine.
type run struct {
	ctx    context.Context
	cancel context.CancelFunc
	eng    *Engine
	conn   mapping.Connection
	leave  func()
	watch  sync.WaitGroup
	feeds  []uint64 // sources in Go, by their number
	csvs   []*CSV   // that have their bad lines collected

	stmt mapping.PreparedStatement
	text string // of stmt
	res  mapping.Result
	cols []resultCol
	open bool // res is to be read
}

// resultCol is a column of a result.
type resultCol struct {
	name string
	typ  *colType // nil until typ asks for it
}

// typ is the type of a column. It is asked for one by one, as that takes the
// engine a time that grows with the number of columns.
func (r *run) typ(i int) *colType {
	c := &r.cols[i]
	if c.typ == nil {
		lt := mapping.LogicalType{}
		if r.open {
			lt = mapping.ColumnLogicalType(&r.res, mapping.IdxT(i))
		} else {
			lt = mapping.PreparedStatementColumnLogicalType(r.stmt, mapping.IdxT(i))
		}
		t := newColType(lt)
		c.typ = &t
	}
	return c.typ
}

// columns are all columns with their types.
func (r *run) columns() []Column {
	out := make([]Column, len(r.cols))
	for i, c := range r.cols {
		out[i] = Column{c.name, r.typ(i).name}
	}
	return out
}

// begin starts a run. end must be called.
func begin(ctx context.Context, f *Frame) (*run, error) {
	eng, err := f.engine()
	if err != nil {
		return nil, err
	}
	return eng.begin(ctx)
}

func (e *Engine) begin(ctx context.Context) (*run, error) {
	if err := ctx.Err(); err != nil {
		return nil, stopped(ctx)
	}
	leave, err := e.enter(ctx)
	if err != nil {
		return nil, err
	}
	r := &run{eng: e, leave: leave}
	if mapping.Connect(e.db, &r.conn) == mapping.StateError {
		leave()
		return nil, errors.New("frame: the engine takes no connection")
	}
	r.ctx, r.cancel = context.WithCancel(ctx)
	r.watch.Go(r.interrupt)
	if e.cfg.Progress != nil {
		if err := execute(r.conn, "SET enable_progress_bar = true; SET enable_progress_bar_print = false"); err == nil {
			r.watch.Go(r.progress)
		}
	}
	return r, nil
}

// interrupt stops the engine when the context ends: again and again, as it
// forgets an interrupt that comes before a statement begins.
func (r *run) interrupt() {
	<-r.ctx.Done()
	pause := time.NewTicker(2 * time.Millisecond)
	defer pause.Stop()
	for {
		r.eng.mu.Lock()
		gone := r.conn.Ptr == nil
		if !gone {
			mapping.Interrupt(r.conn)
		}
		r.eng.mu.Unlock()
		if gone {
			return
		}
		<-pause.C
	}
}

// end stops the query if it runs, and gives everything back. When it returns,
// nothing of the query is left.
func (r *run) end() {
	r.cancel()
	r.finish()
	r.eng.mu.Lock()
	conn := r.conn
	r.conn.Ptr = nil
	r.eng.mu.Unlock()
	mapping.Disconnect(&conn)
	for _, id := range r.feeds {
		feeds.remove(id)
	}
	r.watch.Wait()
	r.leave()
}

// finish ends the result.
func (r *run) finish() {
	if r.open {
		mapping.DestroyResult(&r.res)
		r.open = false
	}
	r.cols, r.text = nil, ""
	mapping.DestroyPrepare(&r.stmt)
}

// engineError is what the engine says.
type engineError struct {
	kind mapping.ErrorType
	text string
}

func (e *engineError) Error() string { return e.text }

// stopped is the error of a run whose context has ended.
func stopped(ctx context.Context) error {
	cause := context.Cause(ctx)
	if err := ctx.Err(); !errors.Is(cause, err) {
		return fmt.Errorf("frame: stopped: %w: %w", err, cause)
	}
	return fmt.Errorf("frame: stopped: %w", cause)
}

// explain makes of the engine's error one for people. parent is the user's
// context.
func (r *run) explain(err error) error {
	if err == nil {
		return nil
	}
	if e := failures.find(err.Error()); e != nil {
		return e
	}
	if r.ctx.Err() != nil {
		return stopped(r.ctx)
	}
	e, ok := errors.AsType[*engineError](err)
	if !ok {
		return err
	}
	return r.eng.explain(e)
}

func (e *Engine) explain(err *engineError) error {
	text := strings.TrimSpace(err.text)
	full := strings.Contains(text, "max_temp_directory_size") || strings.Contains(text, "No space left on device") || strings.Contains(text, "Disk quota exceeded")
	switch {
	case full:
		return fmt.Errorf("frame: %w: the query needs more room on disk than it may have; raise Config.MaxSpill or MemoryLimit, or set Config.SpillDir to a disk with more room (%s)", ErrSpill, firstLine(text))
	case err.kind == mapping.ErrorTypeOutOfMemory || strings.HasPrefix(text, "Out of Memory Error"):
		return fmt.Errorf("frame: %w: the query does not fit in Config.MemoryLimit, %d MiB, and this part of it can't spill to disk; raise the limit, lower Config.Threads, or do without aggregates such as List, Median and Mode over large groups (%s)", ErrMemory, e.cfg.MemoryLimit/mib, firstLine(text))
	}
	if in := inputError(text); in != nil {
		return in
	}
	return fmt.Errorf("frame: %s", text)
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}

// prepare checks a query.
func (r *run) prepare(sql string) error {
	if r.text == sql && !r.open {
		return nil
	}
	r.finish()
	if mapping.Prepare(r.conn, sql, &r.stmt) == mapping.StateError {
		return &engineError{mapping.ErrorTypeInvalid, mapping.PrepareError(r.stmt)}
	}
	r.text = sql
	n := mapping.PreparedStatementColumnCount(r.stmt)
	for i := range n {
		r.cols = append(r.cols, resultCol{name: mapping.PreparedStatementColumnName(r.stmt, i)})
	}
	return nil
}

// describe returns the columns of a query.
func (r *run) describe(sql string) ([]Column, error) {
	if err := r.prepare(sql); err != nil {
		return nil, err
	}
	return r.columns(), nil
}

// names returns the names of the columns of a query.
func (r *run) names(sql string) ([]string, error) {
	if err := r.prepare(sql); err != nil {
		return nil, err
	}
	out := make([]string, len(r.cols))
	for i, c := range r.cols {
		out[i] = c.name
	}
	return out, nil
}

// writer is for plans on this run's engine.
func (r *run) writer() *writer {
	return &writer{read: r.read, names: r.names, describe: r.describe, source: r.feed, uses: map[*node]int{}, shared: map[*node]rel{}}
}

// compile turns a plan into SQL and prepares it. What only the engine finds
// wrong is told at the step where it is.
func (r *run) compile(n *node) (string, error) {
	return r.compileFor(n, nil)
}

// compileFor lets choose change the text, by the names of the columns.
func (r *run) compileFor(n *node, choose func(sql string, names []string) string) (string, error) {
	if err := r.functions(n); err != nil {
		return "", err
	}
	r.csvs = nil
	n.each(map[*node]bool{}, func(n *node) {
		if s, ok := n.step.(readStep); ok && s.csv != nil {
			r.csvs = append(r.csvs, s.csv)
		}
	})
	sql, names, err := r.writer().sql(n)
	if err != nil {
		return "", r.explainAt(err)
	}
	if choose != nil {
		sql = choose(sql, names)
	}
	if err := r.prepare(sql); err != nil {
		return "", r.blame(n, err)
	}
	return sql, nil
}

// explainAt explains the engine's part of an error that has a place.
func (r *run) explainAt(err error) error {
	at, ok := errors.AsType[*Error](err)
	if !ok {
		return r.explain(err)
	}
	inner, ok := errors.AsType[*engineError](at.Err)
	if !ok {
		return err
	}
	if r.ctx.Err() != nil {
		return stopped(r.ctx)
	}
	out := *at
	if e, ok := errors.AsType[*Error](r.eng.explain(inner)); ok {
		out.File, out.Line, out.Column, out.Err = e.File, e.Line, e.Column, e.Err
		return &out
	}
	out.Err = errors.New(plain(inner.text))
	return &out
}

// plain is the engine's message without its class.
func plain(text string) string {
	for _, class := range []string{"Binder Error: ", "Catalog Error: ", "Parser Error: ", "IO Error: ", "Invalid Input Error: ", "Conversion Error: ", "Not implemented Error: "} {
		text = strings.TrimPrefix(text, class)
	}
	return strings.TrimSpace(text)
}

// blame finds the first step that the engine does not take.
func (r *run) blame(root *node, err error) error {
	seen := map[*node]bool{}
	var visit func(n *node) error
	visit = func(n *node) error {
		if seen[n] {
			return nil
		}
		seen[n] = true
		for _, in := range n.in {
			if e := visit(in); e != nil {
				return e
			}
		}
		sql, _, e := r.writer().sql(n)
		if e == nil {
			e = r.prepare(sql)
		}
		if e != nil {
			return n.blame(e)
		}
		return nil
	}
	if e := visit(root); e != nil {
		return r.explainAt(e)
	}
	return r.explain(err)
}

// query runs the statement that was prepared last. next reads it.
func (r *run) query() error {
	r.open = true
	if bindings.ExecutePreparedStreaming(r.stmt, &r.res) == mapping.StateError {
		return r.explain(&engineError{mapping.ResultErrorType(&r.res), mapping.ResultError(&r.res)})
	}
	return nil
}

// next returns the next rows, or none at the end. The chunk must be destroyed.
func (r *run) next() (mapping.DataChunk, int, error) {
	if r.ctx.Err() != nil {
		return mapping.DataChunk{}, 0, stopped(r.ctx)
	}
	chunk := mapping.FetchChunk(r.res)
	if chunk.Ptr == nil {
		if text := mapping.ResultError(&r.res); text != "" {
			return chunk, 0, r.explain(&engineError{mapping.ResultErrorType(&r.res), text})
		}
		return chunk, 0, nil
	}
	return chunk, int(mapping.DataChunkGetSize(chunk)), nil
}

// exec runs a statement to its end and returns how many rows it changed.
func (r *run) exec(sql string) (int64, error) {
	if err := r.prepare(sql); err != nil {
		return 0, r.explain(err)
	}
	r.open = true
	if bindings.ExecutePrepared(r.stmt, &r.res) == mapping.StateError {
		return 0, r.explain(&engineError{mapping.ResultErrorType(&r.res), mapping.ResultError(&r.res)})
	}
	return int64(mapping.RowsChanged(&r.res)), nil
}

// PanicError is a panic of a Go function that a query called.
type PanicError struct {
	Value any
	Stack []byte
}

// Error has the value and where the panic was.
func (p *PanicError) Error() string {
	return fmt.Sprintf("frame: a function panicked: %v\n%s", p.Value, p.Stack)
}

// Unwrap is the value, if it is an error.
func (p *PanicError) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

func newPanic(v any) *PanicError { return &PanicError{v, debug.Stack()} }

func libraryVersion() string { return bindings.LibraryVersion() }
