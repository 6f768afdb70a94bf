//go:build cgo

package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/term"

	"github.com/weft-go/weft/frame"
)

func (q *queryCmd) run(s *session) int {
	width, terminal := 0, false
	if f, ok := s.Out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		terminal = true
		width, _, _ = term.GetSize(int(f.Fd()))
	}
	if err := q.check(s, terminal); err != nil {
		return s.usage(err)
	}
	cfg := frame.Config{MemoryLimit: int64(q.Mem), Threads: q.Threads}
	if q.Progress == nil && s.screen.ErrTerminal() || q.Progress != nil && *q.Progress {
		cfg.Progress = s.Err
	}
	ctx, cancel := s.untilSignal()
	defer cancel()
	err := q.ask(ctx, s, cfg, width)
	if err == nil {
		return 0
	}
	if w, ok := errors.AsType[*outError](err); ok {
		return s.written(w.err)
	}
	if e, ok := errors.AsType[signalError](err); ok {
		s.screen.Say("%v", e)
		return 128 + int(e.sig)
	}
	if e, ok := errors.AsType[*frame.Error](err); ok { // the call is ours, not the user's
		err = e.Err
	}
	s.screen.Say("%s", strings.TrimPrefix(err.Error(), "frame: "))
	return 1
}

// outError is that the output can't be written.
type outError struct{ err error }

func (e *outError) Error() string { return e.err.Error() }

// outWriter marks its errors.
type outWriter struct{ w io.Writer }

func (o outWriter) Write(p []byte) (int, error) {
	n, err := o.w.Write(p)
	if err != nil {
		err = &outError{err}
	}
	return n, err
}

func (q *queryCmd) ask(ctx context.Context, s *session, cfg frame.Config, width int) (err error) {
	engine, err := frame.Open(cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	f, remove, err := q.frame(s)
	if err != nil {
		return err
	}
	defer remove()
	f = f.On(engine)
	if q.Explain {
		text, err := f.Explain(ctx)
		if err != nil {
			return err
		}
		_, err = io.WriteString(outWriter{s.screen.Out()}, text)
		return err
	}
	if q.Output != "" {
		switch q.Format {
		case "csv":
			return f.WriteCSV(ctx, q.Output)
		case "json":
			return f.WriteJSON(ctx, q.Output)
		case "parquet":
			return f.WriteParquet(ctx, q.Output)
		}
		var b bytes.Buffer
		if err := f.Show(ctx, &b, frame.ShowOut{Rows: -1, Markdown: q.Format == "markdown"}); err != nil {
			return err
		}
		return os.WriteFile(q.Output, b.Bytes(), 0o644)
	}
	out := bufio.NewWriter(outWriter{s.screen.Out()})
	switch q.Format {
	case "csv":
		err = printCSV(ctx, f, out)
	case "json":
		err = printJSON(ctx, f, out)
	case "markdown":
		err = f.Show(ctx, out, frame.ShowOut{Rows: -1, Markdown: true})
	default:
		err = f.Show(ctx, out, frame.ShowOut{Rows: 1000, Width: width})
	}
	if err != nil {
		return err
	}
	return out.Flush()
}

var namesStdin = regexp.MustCompile(`(?i)\bstdin\b`)

// frame is what is asked for. remove removes what stdin was kept in.
func (q *queryCmd) frame(s *session) (f *frame.Frame, remove func(), err error) {
	if q.Describe != "" {
		return reader(q.Describe).Describe(), func() {}, nil
	}
	if !namesStdin.MatchString(q.SQL) {
		return frame.SQL(q.SQL, nil), func() {}, nil
	}
	name, remove, err := keep(s.In)
	if err != nil {
		return nil, nil, err
	}
	return frame.SQL(q.SQL, map[string]*frame.Frame{"stdin": reader(name)}), remove, nil
}

// reader reads files by what their names end with.
func reader(glob string) *frame.Frame {
	name := strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(glob), ".gz"), ".zst")
	switch filepath.Ext(name) {
	case ".parquet":
		return frame.ReadParquet(glob)
	case ".json", ".jsonl", ".ndjson":
		return frame.ReadJSON(glob)
	}
	return frame.ReadCSV(glob)
}

// keep copies stdin to a file, as a query may read it more than once. Its name
// tells what is in it.
func keep(in io.Reader) (name string, remove func(), err error) {
	dir, err := os.MkdirTemp("", "weft-query-")
	if err != nil {
		return "", nil, fmt.Errorf("no room for stdin: %w; set TMPDIR to a directory that can be written", err)
	}
	remove = func() { _ = os.RemoveAll(dir) }
	defer func() {
		if err != nil {
			remove()
		}
	}()
	r := bufio.NewReaderSize(in, 1<<16)
	name = filepath.Join(dir, "stdin.csv")
	if head, _ := r.Peek(512); bytes.HasPrefix(bytes.TrimLeft(head, " \t\r\n"), []byte("{")) || bytes.HasPrefix(bytes.TrimLeft(head, " \t\r\n"), []byte("[")) {
		name = filepath.Join(dir, "stdin.json")
	}
	f, err := os.Create(name)
	if err != nil {
		return "", nil, err
	}
	_, err = io.Copy(f, r)
	if err = errors.Join(err, f.Close()); err != nil {
		return "", nil, fmt.Errorf("stdin can't be kept in %s: %w; set TMPDIR to a directory with more room", dir, err)
	}
	return name, remove, nil
}

func printCSV(ctx context.Context, f *frame.Frame, w *bufio.Writer) error {
	cols, err := f.Schema(ctx)
	if err != nil {
		return err
	}
	texts := make([]any, len(cols))
	for i, c := range cols {
		if i > 0 {
			_ = w.WriteByte(',')
		}
		_, _ = w.WriteString(csvField(c.Name))
		texts[i] = frame.Col(c.Name).Cast(frame.String)
	}
	_ = w.WriteByte('\n') // an error is in those that follow
	for row, err := range frame.Rows[[]any](ctx, f.Select(texts...)) {
		if err != nil {
			return err
		}
		for i, v := range row {
			if i > 0 {
				_ = w.WriteByte(',')
			}
			if v != nil {
				_, _ = w.WriteString(csvField(v.(string)))
			}
		}
		if err := w.WriteByte('\n'); err != nil {
			return err
		}
	}
	return nil
}

// csvField quotes a value where that must be. An empty one is quoted, null is
// not.
func csvField(s string) string {
	if s != "" && !strings.ContainsAny(s, ",\"\r\n") && s[0] != ' ' {
		return s
	}
	return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
}

func printJSON(ctx context.Context, f *frame.Frame, w *bufio.Writer) error {
	objects := frame.SQL("SELECT CAST(to_json(t) AS VARCHAR) AS j FROM rows_to_print AS t", map[string]*frame.Frame{"rows_to_print": f})
	for line, err := range frame.Rows[string](ctx, objects) {
		if err != nil {
			return err
		}
		if _, err := w.WriteString(line + "\n"); err != nil {
			return err
		}
	}
	return nil
}
