package cli

import (
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/alecthomas/kong"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/cmd/weft/internal/command"
	"github.com/weft-go/weft/cmd/weft/internal/guard"
	"github.com/weft-go/weft/cmd/weft/internal/items"
	"github.com/weft-go/weft/cmd/weft/internal/joblog"
	"github.com/weft-go/weft/cmd/weft/internal/mapping"
	"github.com/weft-go/weft/cmd/weft/internal/spool"
	"github.com/weft-go/weft/cmd/weft/internal/template"
	"github.com/weft-go/weft/internal/cpus"
	"golang.org/x/term"
)

var groups = []kong.Group{
	{Key: "items", Title: "Items (default: the lines of stdin):"},
	{Key: "run", Title: "How to run:"},
	{Key: "fail", Title: "When jobs fail:"},
	{Key: "out", Title: "Output:"},
	{Key: "log", Title: "Going on later:"},
}

type mapCmd struct {
	Glob      []string `group:"items" sep:"none" placeholder:"PATTERN" help:"Files that match; ** is any number of directories. Quote the pattern. May be given again."`
	CSV       string   `group:"items" name:"csv" placeholder:"FILE" help:"The rows of a CSV file, - for stdin; the first row names the columns."`
	Delimiter string   `group:"items" placeholder:"C" help:"What separates CSV fields: one character, or tab. Defaults to a comma, and to tab for *.tsv."`
	Header    bool     `group:"items" negatable:"" default:"true" help:"--no-header: the first CSV row is an item too; columns are {1}, {2}, ..."`
	Null      bool     `group:"items" short:"0" help:"Items on stdin end with a NUL byte, as find -print0 writes them, not with a line end."`

	Jobs    int      `group:"run" short:"j" default:"0" placeholder:"N" help:"Jobs at once: 1 one after the other, -1 one for each CPU, -2 all CPUs but one. Defaults to what suits the work, from measuring it."`
	Timeout duration `group:"run" placeholder:"TIME" help:"End a job that takes longer: 30s, 5m, 1h."`
	Rate    rate     `group:"run" placeholder:"N" help:"Start at most so many jobs: 10/s, 300/m, 1000/h, evenly spread."`
	Mem     size     `group:"run" placeholder:"SIZE" help:"Memory for the run: 512M, 2G. Fewer jobs run at once if that is what they take together."`
	Shell   bool     `group:"run" help:"COMMAND is one string for sh -c; items are quoted for it wherever they stand."`

	Retries   int    `group:"fail" placeholder:"N" help:"Try a job that failed again, up to N times, waiting longer each time."`
	Halt      string `group:"fail" enum:"soon,now,never," default:"" placeholder:"WHEN" help:"At the first failure: soon starts no more and waits for the running ones (the default), now ends those too, never goes on."`
	KeepGoing bool   `group:"fail" help:"The same as --halt never: run every job though some fail."`

	Unordered bool  `group:"out" short:"u" help:"Print each job's output as soon as the job ends, not in the order of the items."`
	JSON      bool  `group:"out" name:"json" help:"Print a JSON object a job, with its output, and a summary as the last one."`
	Progress  *bool `group:"out" negatable:"" help:"Show how far the run is: a bar on a terminal, a line every 10 seconds elsewhere. Defaults to on if stderr is a terminal."`
	Explain   bool  `group:"out" help:"Say at the end how the jobs were run and why, on stderr."`
	DryRun    bool  `group:"out" short:"n" help:"Print the commands, ready to be pasted into a shell, and run nothing."`

	Joblog string `group:"log" placeholder:"FILE" help:"Record each job that ended as a line of JSON."`
	Resume bool   `group:"log" help:"Skip the jobs that succeeded according to --joblog, and add to it."`
}

//go:embed map.txt
var mapHelp string

func (*mapCmd) usage() string { return "weft map [flags] -- COMMAND [ARG]... [::: ITEM...]" }

func (*mapCmd) more() string { return mapHelp }

// usageError is a combination of flags that makes no sense.
type usageError struct{ msg string }

func (e *usageError) Error() string { return e.msg }

func bad(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

const (
	// readAhead is how many bytes of items are read before their turn.
	readAhead = 16 << 20
	separator = ":::"
)

func (m *mapCmd) run(s *session) int {
	code, err := m.do(s)
	if err == nil {
		return code
	}
	if errors.Is(err, errPrinting) {
		return s.written(errors.Unwrap(err))
	}
	if nc, ok := errors.AsType[*command.NoCommandError](err); ok {
		s.screen.Say("%v", err)
		return nc.Code
	}
	if _, ok := errors.AsType[*usageError](err); ok {
		s.screen.Say("%v (see weft map --help)", err)
		return exitUsage
	}
	s.screen.Say("%v", err)
	if we, ok := errors.AsType[*joblog.WriteError](err); ok {
		s.screen.Say("nothing was run; make room there, or give --joblog another file than %s", we.Path)
		return mapping.CannotWrite
	}
	return exitUsage
}

// check refuses flags that contradict each other.
func (m *mapCmd) check(s *session) error {
	switch {
	case s.rest == nil:
		return bad("there is no command; put it after --: weft map -- gzip {}")
	case m.Resume && m.Joblog == "":
		return bad("--resume needs to know from what; add --joblog FILE")
	case m.KeepGoing && m.Halt != "" && m.Halt != string(mapping.Never):
		return bad("--keep-going and --halt %s contradict each other; leave one out", m.Halt)
	case m.Retries < 0:
		return bad("--retries %d: the number of further attempts is 0 or more", m.Retries)
	case m.CSV == "" && m.Delimiter != "":
		return bad("--delimiter goes with --csv; add --csv FILE, or --csv - for stdin")
	case m.CSV == "" && !m.Header:
		return bad("--no-header goes with --csv; add --csv FILE, or --csv - for stdin")
	}
	return nil
}

func (m *mapCmd) do(s *session) (int, error) {
	if err := m.check(s); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	cmd, src, err := m.source(ctx, s)
	if err != nil {
		return 0, err
	}
	defer src.close()
	t, err := template.Parse(cmd, template.Options{Columns: src.columns, Shell: m.Shell})
	if err != nil {
		return 0, err
	}
	program := ""
	if m.Shell {
		if program, err = command.Lookup("sh"); err != nil {
			return 0, err
		}
	} else if name, ok := t.Fixed(); ok {
		if program, err = command.Lookup(name); err != nil {
			return 0, err
		}
	}
	header := joblog.NewHeader(cmd, m.Shell, time.Now())
	if m.DryRun {
		return m.dry(ctx, s, t, src, header)
	}
	var log *joblog.Log
	var done joblog.Done
	switch {
	case m.Resume:
		log, done, err = joblog.Resume(m.Joblog, header)
	case m.Joblog != "":
		log, err = joblog.Create(m.Joblog, header)
	}
	if err != nil {
		return 0, err
	}
	if src.terminal {
		s.screen.Say("reading items from the terminal, one a line; Ctrl-D ends them")
	}

	mark := rand.Text()
	g := guard.New(mark)
	runner := command.New(command.Config{Guard: g})
	hideProgress := func() {}
	if m.Progress != nil && *m.Progress || m.Progress == nil && s.screen.ErrTerminal() && !src.terminal {
		hideProgress = s.screen.Progress(src.total)
	}
	code, whole := mapping.Run(mapping.Config{
		Template:  t,
		Program:   program,
		Script:    m.Shell,
		Items:     src.items,
		Total:     src.total,
		Options:   m.options(cmd[0]),
		Attempts:  m.Retries + 1,
		Timeout:   time.Duration(m.Timeout),
		Halt:      m.halt(),
		Unordered: m.Unordered,
		JSON:      m.JSON,
		Explain:   m.Explain,
		Log:       log,
		Done:      done,
		Runner:    runner,
		AtOnce:    command.MostAtOnce(),
		Mem:       int64(m.Mem),
		Spool:     spool.New(spool.Config{Dir: s.getenv("TMPDIR")}),
		Env:       append(without(s.Environ, guard.Variable, "WEFT_JOB"), guard.Variable+"="+mark),
		Out:       s.screen.Out(),
		Err:       s.screen.Err(),
		Say:       s.screen.Say,
		Note:      s.screen.Note,
		Ended:     s.screen.Ended,
		Skipped:   s.screen.Skipped,
		Signals:   s.Signals,
	})
	if whole {
		hideProgress()
		runner.Close()
	}
	// After a run that was broken off the guard looks for what got away.
	_ = g.Close(!whole || code > 128)
	return code, nil
}

func (m *mapCmd) halt() mapping.Halt {
	switch {
	case m.KeepGoing:
		return mapping.Never
	case m.Halt == "":
		return mapping.Soon
	}
	return mapping.Halt(m.Halt)
}

// options are those of the library.
func (m *mapCmd) options(name string) []weft.StreamOption {
	opts := []weft.StreamOption{weft.Name(filepath.Base(name)), weft.Workers(m.Jobs)}
	if m.Rate > 0 {
		opts = append(opts, weft.Rate(float64(m.Rate)))
	}
	if m.Mem > 0 {
		opts = append(opts, weft.MemoryLimit(int64(m.Mem)))
	}
	return opts
}

func without(environ []string, names ...string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.Contains(names, name)
	})
}

// source is where the items come from.
type source struct {
	items    func(context.Context) items.Seq
	total    func() int
	columns  []string
	terminal bool
	close    func()
}

func fixed(n int) func() int { return func() int { return n } }

// ready are items that never have to be waited for.
func ready(seq items.Seq) func(context.Context) items.Seq {
	return func(context.Context) items.Seq { return seq }
}

// source finds the items, and the command that they are for.
func (m *mapCmd) source(ctx context.Context, s *session) (cmd []string, src *source, err error) {
	cmd = s.rest
	args := slices.Index(cmd, separator)
	var given []string
	if args >= 0 {
		cmd, given = cmd[:args], cmd[args+1:]
		if slices.Contains(given, separator) {
			return nil, nil, bad("more than one ::: (combinations of lists) is not supported; write the combinations to a CSV and use --csv")
		}
	}
	if len(cmd) == 0 {
		return nil, nil, bad("there is no command between -- and the items; write weft map -- gzip {}")
	}
	var ways []string
	if args >= 0 {
		ways = append(ways, separator)
	}
	if m.Glob != nil {
		ways = append(ways, "--glob")
	}
	if m.CSV != "" {
		ways = append(ways, "--csv")
	}
	if m.Null {
		ways = append(ways, "-0")
	}
	if len(ways) > 1 {
		return nil, nil, bad("%s are different sources of items; choose one", strings.Join(ways, " and "))
	}
	src = &source{close: func() {}}
	switch {
	case args >= 0:
		src.items, src.total = ready(items.Args(given)), fixed(len(given))
	case m.Glob != nil:
		var names []string
		for _, p := range m.Glob {
			more, err := items.Glob(p, os.DirFS)
			if err != nil {
				return nil, nil, err
			}
			names = append(names, more...)
		}
		src.items, src.total = ready(items.Args(names)), fixed(len(names))
	case m.CSV != "":
		err = m.table(ctx, s, src)
	default:
		seq := items.Lines(s.In, "stdin")
		if m.Null {
			seq = items.Records(s.In, "stdin")
		}
		src.ahead(ctx, seq)
		if f, ok := s.In.(*os.File); ok {
			src.terminal = term.IsTerminal(int(f.Fd()))
		}
	}
	return cmd, src, err
}

func (src *source) ahead(ctx context.Context, seq items.Seq) {
	q := items.Ahead(ctx, seq, readAhead)
	src.items, src.total = q.Items, q.Total
}

// table opens a CSV. A file is read to its end first: a row that is wrong is
// better found before anything has run.
func (m *mapCmd) table(ctx context.Context, s *session, src *source) error {
	o := items.CSV{Name: m.CSV, NoHeader: !m.Header}
	switch {
	case m.Delimiter == "tab" || m.Delimiter == `\t` || m.Delimiter == "" && strings.HasSuffix(strings.ToLower(m.CSV), ".tsv"):
		o.Comma = '\t'
	case m.Delimiter != "":
		r, n := utf8.DecodeRuneInString(m.Delimiter)
		if n != len(m.Delimiter) || strings.ContainsRune("\"\r\n\uFFFD", r) {
			return bad("--delimiter %q: it is one character other than a quote or line end, or the word tab", m.Delimiter)
		}
		o.Comma = r
	}
	if m.CSV == "-" {
		o.Name = "stdin"
		t, err := o.Open(s.In)
		if err != nil {
			return err
		}
		src.columns = t.Columns
		src.ahead(ctx, t.Rows())
		return nil
	}
	f, err := os.Open(m.CSV)
	if err != nil {
		return bad("the CSV %s can not be opened: %v; check the path", m.CSV, bare(err))
	}
	src.close = func() { _ = f.Close() }
	t, err := o.Open(f)
	if err != nil {
		return err
	}
	src.columns = t.Columns
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		src.ahead(ctx, t.Rows()) // a pipe is read once
		return nil               //nolint:nilerr // what is no regular file is read like stdin
	}
	n, err := t.Count()
	if err != nil {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return bad("the CSV %s can not be read twice: %v; use --csv - and redirect stdin", m.CSV, bare(err))
	}
	if t, err = o.Open(f); err != nil {
		return err
	}
	src.items, src.total = ready(t.Rows()), fixed(n)
	return nil
}

func bare(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}

var errPrinting = errors.New("the output can not be written")

// printing is an error of writing the output.
type printing struct{ err error }

func (p printing) Error() string   { return p.err.Error() }
func (p printing) Unwrap() error   { return p.err }
func (p printing) Is(e error) bool { return e == errPrinting }

// dry prints what would run.
func (m *mapCmd) dry(ctx context.Context, s *session, t *template.Template, src *source, h joblog.Header) (int, error) {
	var done joblog.Done
	if m.Resume {
		var err error
		if done, err = joblog.Read(m.Joblog, h); err != nil {
			return 0, err
		}
	}
	n, skipped := 0, 0
	for it, err := range src.items(ctx) {
		if err != nil {
			return 0, err
		}
		if done.Has(it.Index, it.Text) {
			skipped++
			continue
		}
		n++
		line, err := mapping.Dry(t, it, m.Shell, m.JSON)
		if err != nil {
			return 0, err
		}
		if _, err := s.screen.Out().Write(line); err != nil {
			return 0, printing{err}
		}
	}
	if m.Explain {
		info := cpus.Get()
		text := fmt.Sprintf("dry run: %d jobs would run", n)
		if skipped > 0 {
			text += fmt.Sprintf(", %d are done", skipped)
		}
		text += fmt.Sprintf("\n  CPUs       %d (%s)\n", info.Effective, info.Source)
		if m.Jobs == 0 {
			text += fmt.Sprintf("  why        nothing was measured: a run starts with %d jobs at once and goes by what they cost", cpus.Workers(0, info))
		} else {
			text += fmt.Sprintf("  why        -j %d asks for %d at once", m.Jobs, cpus.Workers(m.Jobs, info))
		}
		s.screen.Note(text)
	}
	return 0, nil
}
