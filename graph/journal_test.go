package graph_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/graph"
)

// pipeline reads 40 parts, and joins them; begun is told of each task.
func pipeline(g *graph.Graph, begun func(what string)) graph.Value[string] {
	names := make([]string, 40)
	for i := range names {
		names[i] = fmt.Sprint(i)
	}
	parts := graph.Map(g, func(_ context.Context, s string) (string, error) {
		begun("read " + s)
		return s + ";", nil
	}, graph.Consts(g, names))
	return graph.Reduce(g, func(_ context.Context, a, b string) (string, error) {
		begun("join " + a + " and " + b)
		return a + b, nil
	}, parts, 4)
}

// journalChild is a program that is killed when half of it is done.
func journalChild(dir string, kill bool) error {
	log, err := os.OpenFile(filepath.Join(dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	n := 0
	g := graph.New()
	v := pipeline(g, func(what string) {
		fmt.Fprintln(log, what)
		if n++; kill && n == 40 {
			p, err := os.FindProcess(os.Getpid())
			if err == nil {
				err = p.Kill()
			}
			if err != nil {
				panic(err)
			}
			select {}
		}
	})
	s, err := graph.Compute(context.Background(), v, graph.Journal(filepath.Join(dir, "journal")), graph.Workers(1))
	if err != nil {
		return err
	}
	fmt.Println(s)
	return nil
}

// D13: a program that is killed with kill -9 goes on where it was: what had
// finished is not computed again.
func TestJournalAfterKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	run := func(kill string) (string, error) {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), "WEFT_JOURNAL_CHILD="+dir, "WEFT_JOURNAL_KILL="+kill)
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		return strings.TrimSpace(string(out)), err
	}
	if out, err := run("yes"); err == nil {
		t.Fatalf("it was not killed: %s", out)
	}
	want := ""
	for i := range 40 {
		want += fmt.Sprint(i, ";")
	}
	for round := range 2 { // the second finds everything done
		if out, err := run(""); err != nil || out != want {
			t.Fatalf("round %d: %q, %v", round, out, err)
		}
	}
	b, err := os.ReadFile(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	if len(lines) != 40+39+1 {
		t.Errorf("%d tasks were begun; there are 79, and one was killed", len(lines))
	}
	sort.Strings(lines)
	twice := 0
	for i := 1; i < len(lines); i++ {
		if lines[i] == lines[i-1] {
			twice++
		}
	}
	if twice != 1 {
		t.Errorf("%d tasks were begun twice; one was killed", twice)
	}
}

func TestJournalOfAnother(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	g := graph.New()
	v := graph.Call(g, double, graph.Const(g, 1))
	compute := func() error { _, err := graph.Compute(t.Context(), v, graph.Journal(dir)); return err }
	if err := compute(); err != nil {
		t.Fatal(err)
	}
	for content, want := range map[string]string{
		`{"journal":1,"program":"example.com/other"}`: "belongs to the program example.com/other",
		`{"journal":7,"program":"x"}`:                 "has format 7",
		`{`:                                           "can't be read",
	} {
		if err := os.WriteFile(filepath.Join(dir, "program"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := compute(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v", err)
		}
	}
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "thesis.tex"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := compute(); err == nil || !strings.Contains(err.Error(), "is not empty and no journal") {
		t.Errorf("%v", err)
	}
}

// Entries that go away or are damaged are computed again; results that can't be
// kept, and constants that can't be told from others, are errors that say so.
func TestJournalDamaged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var runs atomic.Int64
	compute := func() (string, error) {
		g := graph.New()
		return graph.Compute(t.Context(), pipeline(g, func(string) { runs.Add(1) }), graph.Journal(dir))
	}
	want, err := compute()
	if err != nil || runs.Load() != 79 {
		t.Fatal(runs.Load(), err)
	}
	n := 0
	err = filepath.WalkDir(filepath.Join(dir, "results"), func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if i, err := d.Info(); err == nil && i.Size() > 64 {
			n++
			return os.Truncate(name, i.Size()/2)
		}
		return nil
	})
	if err != nil || n < 79 {
		t.Fatal(n, err)
	}
	if got, err := compute(); err != nil || got != want {
		t.Errorf("%q, %v", got, err)
	}
	if runs.Load() != 2*79 {
		t.Errorf("%d runs", runs.Load())
	}
	g := graph.New()
	_, err = graph.Compute(t.Context(), graph.Call0(g, func(context.Context) (chan int, error) { return nil, nil }, graph.Name("channel")), graph.Journal(dir))
	if err == nil || !strings.Contains(err.Error(), "channel") {
		t.Errorf("%v", err)
	}
	g = graph.New()
	c := graph.Const(g, struct{ C chan int }{})
	_, err = graph.Compute(t.Context(), graph.Call(g, func(context.Context, struct{ C chan int }) (int, error) { return 1, nil }, c), graph.Journal(dir))
	if err == nil || !strings.Contains(err.Error(), ".C is a chan") {
		t.Errorf("%v", err)
	}
}

func TestJournalOn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for range 2 {
		g := graph.New()
		sum := graph.Reduce(g, addFloats, graph.Map(g, numberAt, graph.Consts(g, []int{1, 2, 3, 4, 5})), 2)
		var rec graph.Record
		got, err := graph.Compute(t.Context(), sum, graph.Journal(dir), graph.On(weft.Goroutines(2)), graph.RecordTo(&rec))
		if err != nil || got != 5 {
			t.Errorf("%v, %v", got, err)
		}
	}
}
