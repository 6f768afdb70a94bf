package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// runWeft runs the program with nothing from outside but its arguments.
func runWeft(signals <-chan os.Signal, args ...string) (code int, out, messages string) {
	var o, e bytes.Buffer
	code = Main(Env{In: strings.NewReader(""), Out: &o, Err: &e, Args: args, Signals: signals})
	return code, o.String(), e.String()
}

func TestTour(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.go"), []byte("package a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args          string
		code          int
		out, messages string // what they contain
	}{
		{"tour --list", 0, "hash ", ""},
		{"tour --help", 0, "Usage: weft tour [flags]", ""},
		{"tour --stop hash --tree " + dir, 0, "1 files, 0 MB", ""},
		{"tour --stop hash,parse --json --tree " + dir, 0, `"stop":"parse"`, ""},
		{"tour --stop dance", 2, "", `no stop "dance"`},
		{"tour --stop hash --tree " + filepath.Join(dir, "none"), 1, "", "name another directory with --tree"},
		{"tour hash", 2, "", "unexpected argument hash (see weft tour --help)"},
		{"tour -- hash", 2, "", "runs no command"},
	} {
		code, out, messages := runWeft(nil, strings.Fields(test.args)...)
		if code != test.code || !strings.Contains(out, test.out) || !strings.Contains(messages, test.messages) || test.messages == "" && messages != "" {
			t.Errorf("weft %s: exit code %d\n%s\n%s", test.args, code, out, messages)
		}
	}
}

func TestTourInterrupted(t *testing.T) {
	t.Parallel()
	signals := make(chan os.Signal, 1)
	signals <- syscall.SIGINT
	code, _, messages := runWeft(signals, "tour")
	if code != 130 || !strings.Contains(messages, "stopped: interrupt") {
		t.Errorf("exit code %d, %s", code, messages)
	}
}
