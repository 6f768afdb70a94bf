package cli

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/weft-go/weft/memo"
)

// cacheCmd looks at and minds caches of the package memo.
type cacheCmd struct {
	Ls     cacheLs     `cmd:"" help:"List the entries, or those of one function."`
	Why    cacheWhy    `cmd:"" help:"Say how the code of functions has changed, or what is with one entry."`
	Stats  cacheStats  `cmd:"" help:"Count entries, bytes and the time saved by function."`
	Trim   cacheTrim   `cmd:"" help:"Remove the least recently used entries until the limits hold."`
	Verify cacheVerify `cmd:"" help:"Read and check every entry, and remove what is damaged."`
	Clear  cacheClear  `cmd:"" help:"Remove all entries."`
}

//go:embed cache.txt
var cacheHelp string

func (*cacheCmd) usage() string { return "weft cache ls|why|stats|trim|verify|clear DIR [flags]" }

func (*cacheCmd) more() string { return cacheHelp }

// cacheDir is what all of them take.
type cacheDir struct {
	Dir  string `arg:"" type:"path" help:"The cache's directory."`
	JSON bool   `name:"json" help:"Print JSON."`
}

// open opens a cache that is there; a command makes none.
func (d *cacheDir) open(s *session, readOnly bool) (*memo.Cache, int) {
	if s.rest != nil {
		return nil, s.usage(errors.New("weft cache runs no command; leave -- and what follows out"))
	}
	if _, err := os.Stat(filepath.Join(d.Dir, "format")); err != nil {
		s.screen.Say("%s is no cache of memo: %v", d.Dir, err)
		return nil, 1
	}
	warn := slog.New(slog.NewTextHandler(sayer{s}, nil))
	c, err := memo.Open(d.Dir, memo.Config{ReadOnly: readOnly, Logger: warn})
	if err != nil {
		s.screen.Say("%v", err)
		return nil, 1
	}
	return c, 0
}

// sayer prints log lines as the program's own.
type sayer struct{ s *session }

func (w sayer) Write(b []byte) (int, error) {
	w.s.screen.Say("%s", bytes.TrimSpace(b))
	return len(b), nil
}

// with opens the cache, runs f until a signal comes, and prints what it
// returns: as JSON, or by text.
func with[T any](s *session, d *cacheDir, readOnly bool, f func(ctx context.Context, c *memo.Cache) (T, error), text func(w io.Writer, out T)) int {
	c, code := d.open(s, readOnly)
	if c == nil {
		return code
	}
	ctx, cancel := s.untilSignal()
	defer cancel()
	out, err := f(ctx, c)
	err = errors.Join(err, c.Close())
	if e, ok := errors.AsType[signalError](err); ok {
		s.screen.Say("%v", e)
		return 128 + int(e.sig)
	}
	if err != nil {
		s.screen.Say("%v", err)
		return 1
	}
	var b bytes.Buffer
	if d.JSON {
		enc := json.NewEncoder(&b)
		enc.SetIndent("", "  ")
		if err := enc.Encode(out); err != nil {
			s.screen.Say("%v", err)
			return 1
		}
	} else {
		text(&b, out)
	}
	return s.print(b.String())
}

// table prints rows under a head, in columns.
func table(w io.Writer, head string, rows [][]string) {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, head)
	for _, r := range rows {
		fmt.Fprintln(t, strings.Join(r, "\t"))
	}
	_ = t.Flush() // into memory
}

// bytesText prints a number of bytes.
func bytesText(n int64) string {
	const unit = 1024
	if n < unit {
		return strconv.FormatInt(n, 10) + " B"
	}
	f, i := float64(n)/unit, 0
	for f >= unit && i < 4 {
		f /= unit
		i++
	}
	return fmt.Sprintf("%.1f %ciB", f, "KMGTP"[i])
}

type cacheLs struct {
	cacheDir
	Function string `short:"f" placeholder:"NAME" help:"Only entries of functions whose name contains this."`
	Limit    int    `short:"n" placeholder:"N" help:"At most so many, the last used first. Defaults to all."`
}

func (l *cacheLs) run(s *session) int {
	if l.Limit < 0 {
		return s.usage(fmt.Errorf("--limit %d: it must not be negative", l.Limit))
	}
	return with(s, &l.cacheDir, true, func(ctx context.Context, c *memo.Cache) ([]memo.Meta, error) {
		out := []memo.Meta{}
		for m, err := range c.Entries(ctx) {
			if err != nil {
				if ctx.Err() != nil {
					return nil, err
				}
				s.screen.Say("%v", err)
				continue
			}
			if strings.Contains(m.Function, l.Function) {
				out = append(out, m)
			}
		}
		slices.SortFunc(out, func(a, b memo.Meta) int { return cmp.Or(b.Used.Compare(a.Used), cmp.Compare(a.Key, b.Key)) })
		if l.Limit > 0 {
			out = out[:min(len(out), l.Limit)]
		}
		return out, nil
	}, func(w io.Writer, out []memo.Meta) {
		var rows [][]string
		for _, m := range out {
			rows = append(rows, []string{m.Key, bytesText(m.Stored), m.Took.Round(time.Microsecond).String(), m.Used.Format(time.DateTime), m.Level.String(), m.Function + "(" + m.Args + ")"})
		}
		table(w, "KEY\tBYTES\tTOOK\tUSED\tCODE\tCALL", rows)
	})
}

type cacheWhy struct {
	cacheDir
	Key string `arg:"" optional:"" help:"An entry, as weft cache ls prints it. Without one: the history of the functions' code."`
}

// whyEntry is what is with one entry.
type whyEntry struct {
	Entry *memo.Meta `json:"entry,omitempty"`
	State string     `json:"state"`
}

func (y *cacheWhy) run(s *session) int {
	if y.Key != "" {
		return with(s, &y.cacheDir, true, func(_ context.Context, c *memo.Cache) (whyEntry, error) {
			m, err := c.Entry(y.Key)
			if err != nil {
				return whyEntry{State: err.Error()}, nil
			}
			return whyEntry{&m, "whole: a call of this code with this argument is a hit"}, nil
		}, func(w io.Writer, e whyEntry) {
			if e.Entry != nil {
				fmt.Fprintf(w, "%s(%s)\n", e.Entry.Function, e.Entry.Args)
			}
			fmt.Fprintln(w, e.State)
		})
	}
	return with(s, &y.cacheDir, true, func(_ context.Context, c *memo.Cache) ([]memo.Function, error) {
		return c.Functions()
	}, func(w io.Writer, fs []memo.Function) {
		for _, f := range fs {
			fmt.Fprintln(w, f.Function)
			for i, v := range f.Versions {
				fmt.Fprintf(w, "  %s  %-6v  ", v.Since.Format(time.DateTime), v.Level)
				switch {
				case i == len(f.Versions)-1:
					fmt.Fprintln(w, "first results")
				case len(v.Changed) > 0:
					for j, c := range v.Changed {
						if j > 0 {
							fmt.Fprintf(w, "%31s", "")
						}
						fmt.Fprintln(w, c)
					}
				case v.Level == memo.Manual:
					fmt.Fprintln(w, "memo.Version has another value")
				case v.Level == memo.Build:
					fmt.Fprintln(w, "the program was built anew")
				default:
					fmt.Fprintln(w, "other code")
				}
			}
		}
		fmt.Fprintln(w, "Why of a wrapped function says it for one argument.")
	})
}

type cacheStats struct{ cacheDir }

// cacheTotals is what weft cache stats prints.
type cacheTotals struct {
	Items     int64            `json:"items"`
	Bytes     int64            `json:"bytes"`
	Functions []functionTotals `json:"functions"`
}

type functionTotals struct {
	Function string        `json:"function"`
	Items    int64         `json:"items"`
	Bytes    int64         `json:"bytes"`
	Took     time.Duration `json:"took_ns"` // to compute what is there
	Levels   []string      `json:"levels"`
}

func (t *cacheStats) run(s *session) int {
	return with(s, &t.cacheDir, true, func(ctx context.Context, c *memo.Cache) (cacheTotals, error) {
		out := cacheTotals{Functions: []functionTotals{}}
		by := map[string]*functionTotals{}
		for m, err := range c.Entries(ctx) {
			if err != nil {
				if ctx.Err() != nil {
					return out, err
				}
				s.screen.Say("%v", err)
				continue
			}
			f := by[m.Function]
			if f == nil {
				f = &functionTotals{Function: m.Function}
				by[m.Function] = f
			}
			f.Items++
			f.Bytes += m.Stored
			f.Took += m.Took
			if l := m.Level.String(); !slices.Contains(f.Levels, l) {
				f.Levels = append(f.Levels, l)
			}
			out.Items++
			out.Bytes += m.Stored
		}
		for _, f := range by {
			slices.Sort(f.Levels)
			out.Functions = append(out.Functions, *f)
		}
		slices.SortFunc(out.Functions, func(a, b functionTotals) int {
			return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Function, b.Function))
		})
		return out, nil
	}, func(w io.Writer, out cacheTotals) {
		fmt.Fprintf(w, "%d entries, %s\n", out.Items, bytesText(out.Bytes))
		if len(out.Functions) == 0 {
			return
		}
		var rows [][]string
		for _, f := range out.Functions {
			rows = append(rows, []string{strconv.FormatInt(f.Items, 10), bytesText(f.Bytes), f.Took.Round(time.Millisecond).String(), strings.Join(f.Levels, ","), f.Function})
		}
		table(w, "ENTRIES\tBYTES\tTOOK\tCODE\tFUNCTION", rows)
	})
}

type cacheTrim struct {
	cacheDir
	MaxBytes size          `placeholder:"BYTES" help:"Keep at most so much: 500M, 10G."`
	MaxItems int64         `placeholder:"N" help:"Keep at most so many entries."`
	MaxAge   time.Duration `placeholder:"TIME" help:"Remove what has not been used for so long: 720h."`
}

func (t *cacheTrim) run(s *session) int {
	l := memo.Limits{MaxBytes: int64(t.MaxBytes), MaxItems: t.MaxItems, MaxAge: t.MaxAge}
	if l == (memo.Limits{}) {
		return s.usage(errors.New("say how far: --max-bytes, --max-items or --max-age"))
	}
	return with(s, &t.cacheDir, false, func(ctx context.Context, c *memo.Cache) (memo.Trimmed, error) {
		return c.Trim(ctx, l)
	}, func(w io.Writer, out memo.Trimmed) {
		fmt.Fprintf(w, "%d entries removed, %s\n", out.Items, bytesText(out.Bytes))
	})
}

type cacheVerify struct{ cacheDir }

func (v *cacheVerify) run(s *session) int {
	damaged := false
	code := with(s, &v.cacheDir, false, func(ctx context.Context, c *memo.Cache) (memo.Verified, error) {
		out, err := c.Verify(ctx)
		damaged = len(out.Damaged) > 0
		return out, err
	}, func(w io.Writer, out memo.Verified) {
		for _, d := range out.Damaged {
			fmt.Fprintf(w, "%s: %s\n", d.File, d.Why)
		}
		fmt.Fprintf(w, "%d entries are whole, %s; %d damaged, %d removed\n", out.Items, bytesText(out.Bytes), len(out.Damaged), out.Removed)
	})
	if code == 0 && damaged {
		return 1
	}
	return code
}

type cacheClear struct{ cacheDir }

func (cl *cacheClear) run(s *session) int {
	return with(s, &cl.cacheDir, false, func(ctx context.Context, c *memo.Cache) (memo.Trimmed, error) {
		before := c.Stats()
		return memo.Trimmed{Items: before.Items, Bytes: before.Bytes}, c.Clear(ctx)
	}, func(w io.Writer, out memo.Trimmed) {
		fmt.Fprintf(w, "%d entries removed, %s\n", out.Items, bytesText(out.Bytes))
	})
}
