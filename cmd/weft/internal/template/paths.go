package template

import (
	"os"
	"strings"
)

// The forms of an item that is read as a path. They work on the text alone:
// nothing is looked up, and doubled slashes (https://...) stay.

// trim cuts path separators off the end, unless there is nothing else.
func trim(s string) string {
	n := len(s)
	for n > 1 && os.IsPathSeparator(s[n-1]) {
		n--
	}
	return s[:n]
}

func lastSeparator(s string) int {
	return strings.LastIndexFunc(s, func(r rune) bool { return r < 0x80 && os.IsPathSeparator(uint8(r)) })
}

// base is the last element: {/}.
func base(s string) string {
	s = trim(s)
	if len(s) == 1 {
		return s
	}
	return s[lastSeparator(s)+1:]
}

// dir is everything before the last element: {//}.
func dir(s string) string {
	s = trim(s)
	i := lastSeparator(s)
	if i < 0 {
		return "."
	}
	return trim(s[:i+1])
}

// dot is where the extension of s begins, with its dot, or len(s). A leading
// dot makes a hidden file, not an extension.
func dot(s string) int {
	start := lastSeparator(s) + 1
	name := s[start:]
	i := strings.LastIndexByte(name, '.')
	if i <= 0 || name == ".." {
		return len(s)
	}
	return start + i
}

// stem is s without its extension: {.}.
func stem(s string) string { return s[:dot(s)] }

// ext is the extension without its dot: {+.}.
func ext(s string) string { return strings.TrimPrefix(s[dot(s):], ".") }
