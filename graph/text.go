package graph

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/weft-go/weft/internal/plan"
)

// clean makes a text from outside one line that any format can hold: what is
// not UTF-8, controls, and characters that turn the direction of writing become
// replacement characters, breaks become spaces.
func clean(s string) string {
	s = strings.ToValidUTF8(s, "\ufffd")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\t' || r == '\u2028' || r == '\u2029':
			return ' '
		case unicode.IsControl(r), r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069', r&0xfffe == 0xfffe:
			return '\ufffd'
		}
		return r
	}, s)
}

// cleanLines is clean for each line of a text.
func cleanLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = clean(l)
	}
	return strings.Join(lines, "\n")
}

// columns is how wide a text is in a font whose letters have one width.
func columns(s string) (n int) {
	for _, r := range s {
		n += runeColumns(r)
	}
	return n
}

// runeColumns is 2 for what East Asian fonts draw wide and for pictures, 0 for
// marks that are drawn over the letter before. It is meant for sizes of boxes:
// rather too wide than too narrow.
func runeColumns(r rune) int {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case r < 0x1100:
		return 1
	case r <= 0x115f, r >= 0x2e80 && r <= 0xa4cf, r >= 0xac00 && r <= 0xd7a3, r >= 0xf900 && r <= 0xfaff,
		r >= 0xfe30 && r <= 0xfe6f, r >= 0xff00 && r <= 0xff60, r >= 0x1f000:
		return 2
	}
	return 1
}

// cut shortens a text to so many columns; what is cut shows as an ellipsis.
func cut(s string, most int) string {
	if columns(s) <= most {
		return s
	}
	n := 0
	for i, r := range s {
		if n += runeColumns(r); n > most-1 {
			return s[:i] + "…"
		}
	}
	return s
}

// short is a name for a box: without the path of its package where it is too
// long with it.
func short(name string, most int) string {
	if columns(name) > most && !strings.ContainsAny(name, " \"") {
		if i := strings.LastIndexByte(name, '/'); i >= 0 && i+1 < len(name) {
			name = name[i+1:]
		}
	}
	return cut(name, most)
}

// inBytes prints a size with three digits.
func inBytes(n int64) string {
	if n < 0 {
		return "-" + inBytes(-max(n, -1<<62))
	}
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	f := float64(n)
	for _, unit := range []string{"kB", "MB", "GB", "TB", "PB", "EB"} {
		if f /= 1000; f < 999.5 || unit == "EB" {
			digits := 0
			if f < 99.95 {
				digits = 1
			}
			if f < 9.995 {
				digits = 2
			}
			return strconv.FormatFloat(f, 'f', digits, 64) + " " + unit
		}
	}
	return ""
}

// inTime prints a time with three digits.
func inTime(d time.Duration) string {
	if d == 0 {
		return "0"
	}
	return plan.Short(d)
}

// counted is "1 task" or "2 tasks".
func counted(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return number(n) + " " + what
}

// number prints a count as plans do: 1_000_000.
func number(n int) string {
	s := strconv.Itoa(n)
	if n < 10_000 {
		return s
	}
	var b strings.Builder
	for i, c := range s {
		if i > 0 && (len(s)-i)%3 == 0 {
			b.WriteByte('_')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// inXML escapes a clean text for XML and HTML, in elements and in attributes.
func inXML(s string) string {
	if !strings.ContainsAny(s, `&<>"'`) && utf8.ValidString(s) {
		return s
	}
	return xmlEscapes.Replace(strings.ToValidUTF8(s, "\ufffd"))
}

var xmlEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&#39;")
