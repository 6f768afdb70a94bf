//go:build cgo

package frame

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

var (
	csvLine   = regexp.MustCompile(`CSV Error on Line: (\d+)`)
	sniffed   = regexp.MustCompile(`Error when sniffing file "([^"]*)"`)
	csvFile   = regexp.MustCompile(`(?m)^\s*file\s*=\s*(.*)$`)
	csvColumn = regexp.MustCompile(`column "?([^"\n]*)"?\.`)
)

// inputError makes of the engine's message about a file, which is long, one
// that says where it is and what to do. It is nil for other messages.
func inputError(text string) error {
	m := csvLine.FindStringSubmatch(text)
	if m == nil {
		if m = sniffed.FindStringSubmatch(text); m != nil {
			return &Error{Call: "ReadCSV", File: m[1], Err: fmt.Errorf("%s: it can't be guessed how its lines are to be read; set CSV.Delimiter, CSV.Quote, CSV.Skip or CSV.Encoding, CSV.FillMissing for lines that are too short, or CSV.Bad to leave lines out", m[1])}
		}
		return nil
	}
	e := &Error{Call: "ReadCSV"}
	e.Line, _ = strconv.ParseInt(m[1], 10, 64)
	if f := csvFile.FindStringSubmatch(text); f != nil {
		e.File = strings.TrimSpace(f[1])
	}
	var what []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.Contains(line, "CSV Error on Line") || line == "" {
			continue
		}
		if strings.HasPrefix(line, "Possible") || strings.HasPrefix(line, "*") || strings.HasPrefix(line, "file") {
			break
		}
		if strings.HasPrefix(line, "Original Line:") {
			if len(line) > 160 {
				line = line[:160] + "..."
			}
			line = "the line is " + strings.TrimSpace(strings.TrimPrefix(line, "Original Line:"))
		}
		what = append(what, line)
	}
	if c := csvColumn.FindStringSubmatch(text); c != nil {
		e.Column = c[1]
	}
	where := "line " + m[1]
	if e.File != "" {
		where = e.File + ", " + where
	}
	e.Err = errors.New(where + ": " + strings.Join(what, "; ") + "; give its type in CSV.Types, have more rows looked at with CSV.Sample, or set CSV.Bad or CSV.OnBad")
	return e
}
