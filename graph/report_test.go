package graph_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/weft-go/weft/graph"
)

// TestReportsOfFailedRuns holds that a run that fails is written too.
func TestReportsOfFailedRuns(t *testing.T) {
	t.Parallel()
	g := graph.New()
	broken := errors.New("no such <file>\nor directory")
	fails := graph.Call(g, func(context.Context, int) (int, error) { return 0, broken }, graph.Const(g, 1), graph.Name("open"))
	v := graph.Call(g, double, fails)
	var trace, page bytes.Buffer
	_, err := graph.Compute(t.Context(), v, graph.Trace(&trace), graph.HTMLReport(&page))
	if !errors.Is(err, broken) {
		t.Fatal(err)
	}
	if !strings.Contains(trace.String(), "no such \\u003cfile\\u003e") || !strings.Contains(trace.String(), "the run failed") {
		t.Errorf("the trace does not have the error:\n%s", trace.String())
	}
	for _, want := range []string{"✗ failed", "no such &lt;file&gt;\nor directory</pre>", "after ", ", 1 attempt</span>", `<dd id="total-tasks">2</dd>`} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page does not have %q", want)
		}
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestReportsThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	g := graph.New()
	v := graph.Call(g, double, graph.Const(g, 21))
	for what, opt := range map[string]graph.RunOption{"trace": graph.Trace(full{}), "report": graph.HTMLReport(full{})} {
		got, err := graph.Compute(t.Context(), v, opt)
		if !errors.Is(err, io.ErrShortWrite) || !strings.Contains(err.Error(), "the "+what+" could not be written") || got != 42 {
			t.Errorf("%s: %v, %v", what, got, err)
		}
	}
	for what, opt := range map[string]graph.RunOption{"Trace(nil)": graph.Trace(nil), "HTMLReport(nil)": graph.HTMLReport(nil)} {
		if _, err := graph.Compute(t.Context(), v, opt); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
