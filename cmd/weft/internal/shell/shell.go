// Package shell quotes items for a POSIX shell: as words of their own, and
// inside scripts that a user wrote around them.
package shell

import "strings"

// Quote returns s as one single-quoted word, whatever it contains.
func Quote(s string) string { return "'" + escape(s) + "'" }

// escape makes s fit between two single quotes that are already there.
func escape(s string) string { return strings.ReplaceAll(s, "'", `'\''`) }

// Word returns s as one word that people like to read: bare where nothing in
// it means anything to a shell, else quoted.
func Word(s string) string {
	for _, c := range []byte(s) {
		if !plain(c) {
			return Quote(s)
		}
	}
	if s == "" {
		return "''"
	}
	return s
}

func plain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		strings.IndexByte("_@+:,./-", c) >= 0
}

// Join returns the command args so that it can be pasted into a shell.
func Join(args []string) string {
	words := make([]string, len(args))
	for i, a := range args {
		words[i] = Word(a)
	}
	return strings.Join(words, " ")
}

// Place is where in a script a value is put in.
type Place int

const (
	// Bare is outside all quotes.
	Bare Place = iota
	// InSingle is between single quotes.
	InSingle
	// InDouble is between double quotes.
	InDouble
)

// At returns the text that stands for the value s at the place p of a script:
// the shell reads it as exactly s and nothing else.
func (p Place) At(s string) string {
	switch p {
	case InSingle:
		return escape(s)
	case InDouble:
		// Leave the double quotes, in which $ and ` would be read, and come back.
		return `"` + Quote(s) + `"`
	default:
		return Quote(s)
	}
}
