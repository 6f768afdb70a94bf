package command

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/weft-go/weft/internal/near"
)

// The exit codes that shells use for commands that do not start.
const (
	NotExecutable = 126
	NotFound      = 127
)

// NoCommandError is a program that can not be run, for any item.
type NoCommandError struct {
	Code int // NotExecutable or NotFound
	Msg  string
}

func (e *NoCommandError) Error() string { return e.Msg }

var builtins = strings.Fields("alias bg cd command declare eval exec export fg function local read set shopt source type typeset ulimit umask unset [[ . : for if while until case")

// Lookup finds the program that name means.
func Lookup(name string) (path string, err error) {
	path, err = exec.LookPath(name)
	if err == nil {
		return path, nil
	}
	missing := func(format string, args ...any) (string, error) {
		return "", &NoCommandError{NotFound, fmt.Sprintf(format, args...)}
	}
	switch {
	case errors.Is(err, exec.ErrDot):
		return missing("%s is in this directory and not in PATH; to run it write ./%s", name, name)
	case strings.ContainsRune(name, filepath.Separator):
		info, statErr := os.Stat(name)
		switch {
		case statErr != nil && !errors.Is(statErr, fs.ErrPermission):
			return missing("%s: there is no such file; check the path", name)
		case statErr == nil && info.IsDir():
			return "", &NoCommandError{NotExecutable, fmt.Sprintf("%s is a directory, not a program; name a file in it", name)}
		default:
			return "", &NoCommandError{NotExecutable, fmt.Sprintf("%s is not executable; mend it with chmod +x %s, or run it by its interpreter, as sh %s", name, name, name)}
		}
	case slices.Contains(builtins, name):
		return missing("%s is a part of the shell and not a program; run it with --shell, as weft map --shell -- '%s {}'", name, name)
	case strings.ContainsAny(name, " \t"):
		return missing("%q: there is no such command; write its words apart, as weft map -- %s, or give --shell for a script", name, name)
	}
	if info, statErr := os.Stat(name); statErr == nil && !info.IsDir() {
		return missing("%s is in this directory and not in PATH; to run it write ./%s", name, name)
	}
	if n := near.To(name, programs()); n != "" {
		return missing("%s: there is no such command in PATH; did you mean %s?", name, n)
	}
	return missing("%s: there is no such command in PATH; install it, or give the path of the program", name)
}

// programs lists what PATH has.
func programs() []string {
	var names []string
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Explain says why a program that was found did not start. The error is a
// *NoCommandError if no item can help it, busy if it may start later.
func Explain(path string, err error) (explained error, busy bool) {
	switch {
	case errors.Is(err, syscall.E2BIG):
		return fmt.Errorf("%s did not start: the item is longer than the system takes as an argument; pass the name of a file instead", path), false
	case errors.Is(err, syscall.ENOEXEC):
		return &NoCommandError{NotExecutable, fmt.Sprintf("%s is no program of this system; a script needs #!/bin/sh as its first line, or run it by its interpreter, as sh %s", path, path)}, false
	case errors.Is(err, fs.ErrPermission):
		return &NoCommandError{NotExecutable, fmt.Sprintf("%s may not be run: %v; mend it with chmod +x %s", path, bare(err), path)}, false
	case errors.Is(err, fs.ErrNotExist):
		return &NoCommandError{NotFound, fmt.Sprintf("%s is there, but not the interpreter that its first line names; mend that line", path)}, false
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.ENOMEM), errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return fmt.Errorf("%s did not start: %v; run fewer jobs at once with -j", path, bare(err)), true
	}
	return fmt.Errorf("%s did not start: %v", path, bare(err)), false
}

func bare(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}
