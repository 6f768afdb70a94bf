//go:build cgo

package frame

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// knownNames are the columns of sources that were asked for before. The engine
// opens the files to tell them, and then once more to read: with many columns,
// or many row groups, that is a good part of a short query.
type knownNames map[string]knownSource

type knownSource struct {
	files string // what they were: names, sizes, times
	names []string
}

// mostKnown is how many sources an engine keeps in mind.
const mostKnown = 1000

// read returns the names of the columns of a source.
func (r *run) read(s readStep, sql string) ([]string, error) {
	files := filesNow(s.files)
	if files != "" {
		r.eng.mu.Lock()
		k := r.eng.sources[sql]
		r.eng.mu.Unlock()
		if k.files == files {
			return k.names, nil
		}
	}
	names, err := r.names(sql)
	if err != nil || files == "" {
		return names, err
	}
	r.eng.mu.Lock()
	defer r.eng.mu.Unlock()
	if len(r.eng.sources) >= mostKnown {
		clear(r.eng.sources)
	}
	r.eng.sources[sql] = knownSource{files, names}
	return names, nil
}

// filesNow says what the files of a source are like. It is empty if it can't be
// told whether they are the same later: for patterns that are the engine's
// own, many files, and those that were written just now, as the clock of a
// disk ticks slowly.
func filesNow(patterns []string) string {
	var b strings.Builder
	for _, p := range patterns {
		if strings.Contains(p, "**") || strings.Contains(p, "://") {
			return ""
		}
		list := []string{p}
		if strings.ContainsAny(p, "*?[{") {
			var err error
			if list, err = filepath.Glob(p); err != nil || len(list) == 0 || len(list) > 1000 {
				return ""
			}
		}
		for _, name := range list {
			info, err := os.Stat(name)
			if err != nil || !info.Mode().IsRegular() || time.Since(info.ModTime()) < 2*time.Second {
				return ""
			}
			fmt.Fprintf(&b, "%q %d %d\n", name, info.Size(), info.ModTime().UnixNano())
		}
	}
	return b.String()
}
