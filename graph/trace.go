package graph

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"
)

// Trace writes the run to w when it has ended, also when it has failed, as trace
// events in JSON: open it in https://ui.perfetto.dev, which keeps it in the
// browser, or in chrome://tracing. Each worker is a thread, each task a slice
// with its figures; the memory that results took is a counter, and arrows go
// from results to what used them, unless there are more than 20,000. It takes
// some 5 us and 250 bytes a task, twice as much with arrows. A failure of w is an error of the run, if the run has
// no other. Defaults to no trace.
func Trace(w io.Writer) RunOption {
	return runOption(func(c *config) {
		if w == nil {
			c.fail("Trace(nil): give something to write to, a file say")
			return
		}
		c.after = append(c.after, func(r *Record) error {
			if err := writeTrace(w, r); err != nil {
				return fmt.Errorf("graph: the trace could not be written: %w", err)
			}
			return nil
		})
	})
}

// mostFlows is how many inputs are written to a trace as arrows: more make it
// slow to look at.
const mostFlows = 20_000

// traceEvent is an event of the trace event format, as chrome://tracing and
// ui.perfetto.dev read it: "Trace Event Format", Chromium project, 2016. Times
// are in microseconds.
type traceEvent struct {
	Name     string         `json:"name,omitempty"`
	Category string         `json:"cat,omitempty"`
	Phase    string         `json:"ph"`
	At       micros         `json:"ts"`
	Took     *micros        `json:"dur,omitempty"`
	Process  int            `json:"pid"`
	Thread   int            `json:"tid"`
	ID       int            `json:"id,omitempty"`
	Binding  string         `json:"bp,omitempty"`
	Scope    string         `json:"s,omitempty"`
	Color    string         `json:"cname,omitempty"`
	Args     map[string]any `json:"args,omitempty"`
}

// micros is a time that is written as microseconds, to the nanosecond.
type micros time.Duration

func (m micros) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(m)/1e3, 'f', 3, 64), nil
}

// writeTrace writes a run as trace events: a thread a worker, a slice a task,
// the memory that results took as a counter, and arrows from results to what
// used them, unless there are too many.
func writeTrace(w io.Writer, r *Record) error {
	if err := checkRecord("Trace", r); err != nil {
		return err
	}
	b := bufio.NewWriterSize(w, 64<<10)
	other := map[string]any{
		"graph": clean(r.Graph), "workers": r.Workers, "budget_bytes": r.Budget,
		"begun": r.Begun.UTC().Format(time.RFC3339Nano), "took_ns": int64(r.Took), "error": r.Err,
	}
	head, err := json.Marshal(other)
	if err != nil {
		return err
	}
	fmt.Fprintf(b, "{\"displayTimeUnit\":\"ms\",\"otherData\":%s,\"traceEvents\":[", head)
	first := true
	write := func(e traceEvent) {
		text, e2 := json.Marshal(&e)
		if e2 != nil {
			err = e2 // names, numbers and maps of them: there is no such error
			return
		}
		if !first {
			b.WriteByte(',')
		}
		first = false
		b.WriteByte('\n')
		b.Write(text)
	}
	const process = 1
	write(traceEvent{Name: "process_name", Phase: "M", Process: process, Args: map[string]any{"name": "weft: " + clean(r.Graph)}})
	threads := r.Workers
	for i := range r.Tasks {
		if r.Tasks[i].Attempts > 0 {
			threads = max(threads, r.Tasks[i].Worker+1)
		}
	}
	for i := range min(threads, 1<<15) {
		write(traceEvent{Name: "thread_name", Phase: "M", Process: process, Thread: i, Args: map[string]any{"name": fmt.Sprintf("worker %d", i)}})
	}
	flows := 0
	for i := range r.Tasks {
		for _, d := range r.Tasks[i].Inputs {
			if r.Tasks[d].Attempts > 0 && r.Tasks[i].Attempts > 0 {
				flows++
			}
		}
	}
	id := 0
	for i := range r.Tasks {
		t := &r.Tasks[i]
		if t.Attempts <= 0 {
			continue
		}
		took := micros(lasted(t))
		e := traceEvent{
			Name: clean(t.Name), Category: kindName(t.Kind), Phase: "X", At: micros(t.Start), Took: &took, Process: process, Thread: t.Worker,
			Args: map[string]any{
				"task": t.ID, "order": t.Order, "state": stateNames[stateIndex(t.State)], "group": clean(groupOf(t)),
				"bytes": t.Bytes, "attempts": t.Attempts, "inputs": len(t.Inputs),
			},
		}
		if t.Spilled {
			e.Args["spilled"] = true
		}
		if t.State == StateFailed {
			e.Args["error"], e.Color = clean(t.Err), "terrible"
		}
		write(e)
		if flows > mostFlows {
			continue
		}
		for _, d := range t.Inputs {
			in := &r.Tasks[d]
			if in.Attempts <= 0 {
				continue
			}
			id++
			// An arrow begins within its slice, whose end is not part of it.
			write(traceEvent{Name: "input", Category: "input", Phase: "s", At: micros(max(in.Start, in.End-1)), Process: process, Thread: in.Worker, ID: id})
			write(traceEvent{Name: "input", Category: "input", Phase: "f", Binding: "e", At: micros(t.Start), Process: process, Thread: t.Worker, ID: id})
		}
	}
	for _, s := range r.Memory {
		write(traceEvent{Name: "results, bytes", Phase: "C", At: micros(s.At), Process: process, Args: map[string]any{"memory": s.Bytes, "disk": s.Disk}})
		write(traceEvent{Name: "results, number", Phase: "C", At: micros(s.At), Process: process, Args: map[string]any{"results": s.Results}})
	}
	if r.Err != "" {
		write(traceEvent{Name: "the run failed", Phase: "i", Scope: "g", At: micros(r.Took), Process: process, Args: map[string]any{"error": clean(r.Err)}})
	}
	if err != nil {
		return err
	}
	b.WriteString("\n]}\n")
	return b.Flush()
}
