package main

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// writeSection puts text into the file between the two comments that name the
// section, in place of what stood there; a new section goes to the end. So
// each benchmark keeps its own part of RESULTS.md.
func writeSection(file, name, text string) error {
	begin, end := fmt.Sprintf("<!-- bench:%s -->\n", name), fmt.Sprintf("<!-- /bench:%s -->\n", name)
	section := begin + "\n" + strings.TrimSpace(text) + "\n\n" + end

	old, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("write the results: %w", err)
	}
	whole := string(old)
	i, j := strings.Index(whole, begin), strings.Index(whole, end)
	switch {
	case i >= 0 && j > i:
		whole = whole[:i] + section + whole[j+len(end):]
	case whole == "":
		whole = section
	default:
		whole = strings.TrimRight(whole, "\n") + "\n\n" + section
	}
	if err := os.WriteFile(file, []byte(whole), 0o644); err != nil {
		return fmt.Errorf("write the results: %w", err)
	}
	return nil
}

// seconds prints d in seconds with three digits that count.
func seconds(d time.Duration) string {
	s := d.Seconds()
	if s <= 0 {
		return "0"
	}
	decimals := max(0, 2-int(math.Floor(math.Log10(s))))
	return strconv.FormatFloat(s, 'f', decimals, 64)
}

func median(ds []time.Duration) time.Duration {
	if len(ds) == 0 {
		return 0
	}
	ds = slices.Sorted(slices.Values(ds))
	mid := len(ds) / 2
	if len(ds)%2 == 1 {
		return ds[mid]
	}
	return (ds[mid-1] + ds[mid]) / 2
}
