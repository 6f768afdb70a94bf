package graph

import (
	"bytes"
	"encoding/json"
	"math"
	"testing"
	"time"
)

// checkTrace writes the trace of a record and compares it with the record.
func checkTrace(t *testing.T, r *Record) {
	t.Helper()
	var b bytes.Buffer
	if err := writeTrace(&b, r); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Unit  string `json:"displayTimeUnit"`
		Other struct {
			Took int64 `json:"took_ns"`
		} `json:"otherData"`
		Events []struct {
			Name   string          `json:"name"`
			Phase  string          `json:"ph"`
			At     float64         `json:"ts"`
			Took   float64         `json:"dur"`
			Thread int             `json:"tid"`
			ID     int             `json:"id"`
			Args   json.RawMessage `json:"args"`
		} `json:"traceEvents"`
	}
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatalf("%v\n%s", err, b.Bytes())
	}
	if got.Unit != "ms" || got.Other.Took != int64(r.Took) {
		t.Errorf("%s, %d", got.Unit, got.Other.Took)
	}
	nanos := func(us float64) time.Duration { return time.Duration(math.Round(us * 1e3)) }
	byID := map[int]*Task{}
	ran, inputs := 0, 0
	for i := range r.Tasks {
		if k := &r.Tasks[i]; k.Attempts > 0 {
			ran++
			byID[k.ID] = k
			for _, d := range k.Inputs {
				if r.Tasks[d].Attempts > 0 {
					inputs++
				}
			}
		}
	}
	if inputs > mostFlows {
		inputs = 0
	}
	slices, samples, failed := 0, 0, 0
	begun, ended := map[int]time.Duration{}, map[int]time.Duration{}
	for _, e := range got.Events {
		switch e.Phase {
		case "X":
			slices++
			var args struct {
				Task  int    `json:"task"`
				Bytes int64  `json:"bytes"`
				State string `json:"state"`
			}
			if err := json.Unmarshal(e.Args, &args); err != nil {
				t.Fatal(err)
			}
			k := byID[args.Task]
			if k == nil {
				t.Errorf("task %d did not run", args.Task)
				continue
			}
			if e.Name != clean(k.Name) || nanos(e.At) != k.Start || nanos(e.Took) != lasted(k) || e.Thread != k.Worker || args.Bytes != k.Bytes || args.State != stateNames[stateIndex(k.State)] {
				t.Errorf("%+v, want %+v", e, k)
			}
		case "s":
			begun[e.ID] = nanos(e.At)
		case "f":
			ended[e.ID] = nanos(e.At)
		case "C":
			var args map[string]int64
			if err := json.Unmarshal(e.Args, &args); err != nil {
				t.Fatal(err)
			}
			if bytes, ok := args["memory"]; ok {
				s := r.Memory[samples]
				if s.Bytes != bytes || s.Disk != args["disk"] || math.Abs(float64(nanos(e.At)-s.At)) > math.Abs(float64(s.At))*1e-12 {
					t.Errorf("%+v, want %+v", e, s)
				}
				samples++
			}
		case "i":
			failed++
		}
	}
	if slices != ran || samples != len(r.Memory) || len(begun) != inputs || len(ended) != inputs || failed > 0 != (r.Err != "") {
		t.Errorf("%d slices, %d samples, %d and %d ends of arrows, %d failures; want %d, %d and %d", slices, samples, len(begun), len(ended), failed, ran, len(r.Memory), inputs)
	}
	for id, at := range begun {
		if r.Workers > 0 && ended[id] < at {
			t.Errorf("arrow %d goes back from %v to %v", id, at, ended[id])
		}
	}
}

func TestTrace(t *testing.T) {
	t.Parallel()
	for name, r := range fakes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkTrace(t, r)
		})
	}
	t.Run("nothing", func(t *testing.T) { t.Parallel(); checkTrace(t, &Record{}) })
	t.Run("many inputs", func(t *testing.T) { t.Parallel(); checkTrace(t, fakeStencil(100, 100)) })
}
