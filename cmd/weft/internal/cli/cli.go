// Package cli is the command line of weft: flags, help, errors and exit codes.
package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/weft-go/weft/cmd/weft/internal/guard"
	"github.com/weft-go/weft/cmd/weft/internal/screen"
)

// Env is everything that the program takes from the outside.
type Env struct {
	In       io.Reader
	Out, Err io.Writer
	Args     []string // without the program's name
	Environ  []string
	// Signals brings SIGINT, SIGTERM, SIGHUP and, where there are such,
	// SIGTSTP and SIGCONT.
	Signals <-chan os.Signal
}

// grammar is the program's commands and flags. To add a subcommand, add a
// field here whose type has a run method and, for text below the flags in its
// help, a more method.
type grammar struct {
	Version bool `help:"Print the version and exit."`

	Cache   cacheCmd   `cmd:"" help:"Look at and mind a cache of the package memo."`
	Cluster clusterCmd `cmd:"" help:"Look at and mind a cluster of the package cluster."`
	Map     mapCmd     `cmd:"" help:"Run a command for each item, just as parallel as it pays."`
	Query   queryCmd   `cmd:"" help:"Ask files larger than memory with SQL: CSV, JSON, Parquet."`
	Tour    tourCmd    `cmd:"" help:"See what Weft decides, and what it gains, on the source of Go itself."`
}

// subcommand is what each command of the grammar is.
type subcommand interface {
	// run does it and returns the exit code.
	run(s *session) int
}

// explained is a subcommand with more to say in its help.
type explained interface {
	usage() string // the line after "Usage: "
	more() string
}

// session is one call of the program.
type session struct {
	Env
	screen *screen.Screen
	// rest is what stands after --, nil without one.
	rest []string
	// helpErr is why the help could not be written.
	helpErr error
}

const exitUsage = 2

// Main runs the program and returns its exit code.
func Main(e Env) int {
	if len(e.Args) == 2 && e.Args[0] == guard.Command {
		return guard.Main(e.In, e.Args[1])
	}
	s := &session{Env: e}
	s.screen = screen.New(e.Out, e.Err, s.getenv)
	args := e.Args
	if i := slices.Index(args, "--"); i >= 0 {
		args, s.rest = args[:i], args[i+1:]
	}
	var g grammar
	helped := false
	parser, err := kong.New(&g,
		kong.Name("weft"),
		kong.Description("Just-right parallelism: weft measures the work and picks how to run it."),
		kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100, NoExpandSubcommands: true}),
		kong.Help(s.help),
		kong.Writers(s.screen.Out(), s.screen.Err()),
		kong.Exit(func(int) { helped = true }),
		kong.ExplicitGroups(groups),
	)
	if err != nil {
		s.screen.Say("%v", err) // the grammar itself is wrong: seen by every test
		return exitUsage
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	ctx, err := parser.Parse(negatives(args))
	switch {
	case helped || s.helpErr != nil:
		return s.written(s.helpErr)
	case g.Version && (err == nil || ctx == nil || ctx.Command() == ""):
		return s.print("weft " + version() + "\n")
	case err != nil:
		return s.usage(err)
	}
	cmd, ok := ctx.Selected().Target.Addr().Interface().(subcommand)
	if !ok {
		return s.usage(errors.New("say what to do: weft map, weft query, weft cache, weft cluster or weft tour"))
	}
	return cmd.run(s)
}

// usage reports a command line that makes no sense.
func (s *session) usage(err error) int {
	msg := err.Error()
	help := "weft --help"
	if pe, ok := errors.AsType[*kong.ParseError](err); ok && pe.Context != nil {
		if sel := pe.Context.Selected(); sel != nil {
			help = sel.FullPath() + " --help"
		}
		if word, ok := strings.CutPrefix(msg, "unexpected argument "); ok && help == "weft map --help" {
			word, _, _ = strings.Cut(word, ",")
			msg = fmt.Sprintf("unexpected argument %s; the command to run stands after --: %s -- %s ...", word, strings.TrimSuffix(help, " --help"), word)
		}
	}
	s.screen.Say("%s (see %s)", msg, help)
	return exitUsage
}

// help prints kong's help with a better usage line and what the command has to
// add.
func (s *session) help(o kong.HelpOptions, ctx *kong.Context) error {
	var b bytes.Buffer
	stdout := ctx.Stdout
	ctx.Stdout = &b
	err := kong.DefaultHelpPrinter(o, ctx)
	ctx.Stdout = stdout
	if err != nil {
		return err
	}
	text := b.String()
	if sel := ctx.Selected(); sel != nil && sel.Target.Kind() == reflect.Struct {
		if x, ok := sel.Target.Addr().Interface().(explained); ok {
			if _, rest, ok := strings.Cut(text, "\n"); ok {
				text = "Usage: " + x.usage() + "\n" + rest
			}
			text += "\n" + x.more()
		}
	}
	_, s.helpErr = io.WriteString(stdout, text)
	return s.helpErr
}

// print writes to the output and returns the exit code.
func (s *session) print(text string) int {
	_, err := io.WriteString(s.screen.Out(), text)
	return s.written(err)
}

// written is the exit code after a write.
func (s *session) written(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, syscall.EPIPE):
		return 141
	default:
		s.screen.Say("the output can not be written: %v", err)
		return 3
	}
}

func (s *session) getenv(key string) string {
	for _, v := range slices.Backward(s.Environ) {
		if k, val, ok := strings.Cut(v, "="); ok && k == key {
			return val
		}
	}
	return ""
}

// negatives joins -j with a negative number after it, which would be taken
// for a flag of its own.
func negatives(args []string) []string {
	var out []string
	for i := 0; i < len(args); i++ {
		if a := args[i]; (a == "-j" || a == "--jobs") && i+1 < len(args) && isNegative(args[i+1]) {
			out = append(out, "--jobs="+args[i+1])
			i++
			continue
		}
		if n, ok := strings.CutPrefix(args[i], "-j"); ok && isNegative(n) {
			out = append(out, "--jobs="+n)
			continue
		}
		out = append(out, args[i])
	}
	return out
}

func isNegative(s string) bool {
	digits, ok := strings.CutPrefix(s, "-")
	return ok && digits != "" && strings.Trim(digits, "0123456789") == ""
}

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(unknown version)"
	}
	return info.Main.Version
}
