package cli

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/weft-go/weft/cmd/weft/internal/tour"
	"golang.org/x/term"
)

type tourCmd struct {
	Stop []string `placeholder:"NAME" help:"Visit only this stop; several with commas, or by giving the flag again."`
	List bool     `help:"Print the names of the stops and what they do."`
	Tree string   `type:"path" placeholder:"DIR" help:"The files to work on. Defaults to the source of Go, $(go env GOROOT)/src."`
	Save string   `type:"path" placeholder:"DIR" help:"Keep the picture and the page of the stop graph in this directory. Defaults to a new temporary one."`
	JSON bool     `name:"json" help:"Print a JSON object a stop: times, result, and the whole report."`
}

//go:embed tour.txt
var tourHelp string

func (*tourCmd) usage() string { return "weft tour [flags]" }

func (*tourCmd) more() string { return tourHelp }

func (t *tourCmd) run(s *session) int {
	if s.rest != nil {
		return s.usage(errors.New("weft tour runs no command; leave -- and what follows out"))
	}
	if t.List {
		return s.toured(tour.List(s.screen.Out()))
	}
	cfg := tour.Config{Out: s.screen.Out(), JSON: t.JSON, Stops: t.Stop, Tree: t.Tree, Save: t.Save}
	plain := s.getenv("TERM") == "dumb"
	if f, ok := s.Out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		cfg.Color = !plain && s.getenv("NO_COLOR") == ""
		if width, _, err := term.GetSize(int(f.Fd())); err == nil {
			cfg.Width = width
		}
	}
	if s.screen.ErrTerminal() && !plain {
		cfg.Status = s.screen.Err()
	}
	ctx, cancel := s.untilSignal()
	defer cancel()
	return s.toured(tour.Run(ctx, cfg))
}

// toured is the exit code for how a tour ended.
func (s *session) toured(err error) int {
	if err == nil {
		return 0
	}
	if e, ok := errors.AsType[*tour.WriteError](err); ok {
		return s.written(e.Err)
	}
	if e, ok := errors.AsType[signalError](err); ok {
		s.screen.Say("%v", err)
		return 128 + int(e.sig)
	}
	if _, ok := errors.AsType[*tour.NoStopError](err); ok {
		s.screen.Say("%v (see weft tour --help)", err)
		return exitUsage
	}
	s.screen.Say("%v", err)
	return 1
}

// signalError is the cause of a context that a signal ended.
type signalError struct{ sig syscall.Signal }

func (e signalError) Error() string { return fmt.Sprintf("stopped: %v", e.sig) }

// untilSignal returns a context that ends with the first signal to stop.
func (s *session) untilSignal() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(context.Background())
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case sig := <-s.Signals:
				switch sig {
				case syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP:
					cancel(signalError{sig.(syscall.Signal)})
					return
				}
				// Ctrl-Z, and going on after it: leave them to the system.
				if self, err := os.FindProcess(os.Getpid()); err == nil && sig != nil {
					signal.Reset(sig)
					_ = self.Signal(sig)
				}
			}
		}
	}()
	return ctx, func() { cancel(nil) }
}
