// Package template fills items into the command that a user wrote.
//
// A placeholder is a name in braces: {} the item, {.} without its extension,
// {/} its last path element, {//} what is before that, {/.} the last element
// without extension, {+.} the extension, {#} the job's number from 1. With
// columns, {name} and {2} are a column, and {name.}, {name/}, {name//},
// {name/.} and {name+.} the same forms of it. Other braces are left alone.
// Around a placeholder doubled braces stand for one brace: {{}} is a literal
// {}, {{{}}} the item in braces.
package template

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/weft-go/weft/cmd/weft/internal/shell"
	"github.com/weft-go/weft/internal/near"
)

// Options say how a command is read.
type Options struct {
	// Columns are the names of the columns that each item has. Defaults to
	// nil: items are plain text and names in braces mean nothing.
	Columns []string
	// Shell makes the command one script; values are quoted for it.
	Shell bool
}

// Template is a command with places for an item.
type Template struct {
	args [][]part
}

type part struct {
	lit    string // used where value is nil
	value  *value
	quoted bool // for the shell, at place
	place  shell.Place
}

// value is what a placeholder stands for.
type value struct {
	number bool
	column int // -1: the whole item
	form   func(string) string
}

// forms are the suffixes, longest first so that "//" is not read as "/".
var forms = []struct {
	suffix string
	f      func(string) string
}{
	{"//", dir},
	{"/.", func(s string) string { return stem(base(s)) }},
	{"+.", func(s string) string { return ext(base(s)) }},
	{"/", base},
	{".", stem},
}

// Error is a command that can not be filled in.
type Error struct{ Msg string }

func (e *Error) Error() string { return e.Msg }

func fail(format string, args ...any) error { return &Error{fmt.Sprintf(format, args...)} }

// Parse reads a command. One without any placeholder gets the item as its last
// argument.
func Parse(command []string, o Options) (*Template, error) {
	if len(command) == 0 || command[0] == "" {
		return nil, fail("there is no command to run; put it after --: weft map -- gzip {}")
	}
	if o.Shell && len(command) != 1 {
		return nil, fail("with --shell the command is one string, and here are %d; quote the whole: weft map --shell -- %s",
			len(command), shell.Quote(strings.Join(command, " ")))
	}
	t := &Template{}
	found := false
	for _, a := range command {
		parts, err := parse(a, o)
		if err != nil {
			return nil, err
		}
		t.args = append(t.args, parts)
		found = found || slices.ContainsFunc(parts, func(p part) bool { return p.value != nil })
	}
	if found {
		return t, nil
	}
	if o.Columns != nil {
		return nil, fail("the command uses no column; name those it needs in braces, as {%s} (the columns are %s)",
			example(o.Columns), list(o.Columns))
	}
	if o.Shell {
		parts, err := parse(command[0]+" {}", o)
		if err != nil {
			return nil, err
		}
		t.args[0] = parts
	} else {
		t.args = append(t.args, []part{{value: &value{column: -1}}})
	}
	return t, nil
}

// parse cuts one argument into its parts.
func parse(s string, o Options) ([]part, error) {
	var parts []part
	var lit strings.Builder
	lexer := shell.NewLexer(s)
	flush := func() {
		if lit.Len() > 0 {
			lexer.Feed(lit.String())
			parts = append(parts, part{lit: lit.String()})
			lit.Reset()
		}
	}
	for i := 0; i < len(s); {
		if s[i] != '{' {
			lit.WriteByte(s[i])
			i++
			continue
		}
		open := run(s[i:], '{')
		if o.Shell && i > 0 && s[i-1] == '$' { // the shell's own ${name}
			lit.WriteString(s[i : i+open])
			i += open
			continue
		}
		name, _, ok := strings.Cut(s[i+open:], "}")
		var v *value
		var err error
		if ok && !strings.ContainsAny(name, "{\n") {
			v, err = lookup(name, o.Columns)
		}
		if v == nil && err == nil {
			lit.WriteString(s[i : i+open])
			i += open
			continue
		}
		end := i + open + len(name)
		pairs := min(open, run(s[end:], '}'))
		lit.WriteString(s[i : i+open-pairs])
		if pairs%2 == 0 {
			half := pairs / 2
			lit.WriteString(strings.Repeat("{", half) + name + strings.Repeat("}", half))
		} else if err != nil {
			return nil, err
		} else {
			half := (pairs - 1) / 2
			lit.WriteString(strings.Repeat("{", half))
			flush()
			p := part{value: v, quoted: o.Shell}
			if o.Shell {
				var where string
				if p.place, where = lexer.Value(); where != "" {
					return nil, fail("{%s} stands %s, where no quoting is safe; give it to a variable first and use that: "+
						`x={%s}; ... "$x"`, name, where, name)
				}
			}
			parts = append(parts, p)
			lit.WriteString(strings.Repeat("}", half))
		}
		i = end + pairs
	}
	flush()
	return parts, nil
}

// run counts how often c stands at the start of s.
func run(s string, c byte) int {
	n := 0
	for n < len(s) && s[n] == c {
		n++
	}
	return n
}

// lookup returns what name stands for, nil if it is no placeholder.
func lookup(name string, columns []string) (*value, error) {
	if name == "" {
		return &value{column: -1}, nil
	}
	if name == "#" {
		return &value{number: true}, nil
	}
	for _, f := range forms {
		if name == f.suffix {
			return &value{column: -1, form: f.f}, nil
		}
	}
	if columns == nil {
		return nil, nil
	}
	v, err := column(name, columns)
	if v != nil || err != nil {
		return v, err
	}
	for _, f := range forms {
		if plain, ok := strings.CutSuffix(name, f.suffix); ok {
			if v, err := column(plain, columns); v != nil || err != nil {
				if v != nil {
					v.form = f.f
				}
				return v, err
			}
		}
	}
	if word(name) {
		hint := ""
		if n := near.To(name, columns); n != "" {
			hint = fmt.Sprintf("did you mean {%s}? ", n)
		}
		return nil, fail("there is no column for {%s}; %sthe columns are %s (to pass the braces on as they are, double them: {{%s}})",
			name, hint, list(columns), name)
	}
	return nil, nil
}

func column(name string, columns []string) (*value, error) {
	if i := slices.Index(columns, name); i >= 0 && name != "" {
		if slices.Contains(columns[i+1:], name) {
			return nil, fail("more than one column is called %q; use its number, as {%d}", name, i+1)
		}
		return &value{column: i}, nil
	}
	if n, err := strconv.Atoi(name); err == nil && name[0] != '+' && name[0] != '-' {
		if n < 1 || n > len(columns) {
			return nil, fail("there is no column {%s}; columns are counted from 1 and there are %d", name, len(columns))
		}
		return &value{column: n - 1}, nil
	}
	return nil, nil
}

// word reports whether name looks like that of a column rather than like a
// piece of some other language.
func word(name string) bool {
	for _, r := range name {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' && r != '-' && r != '.' && r != '/' {
			return false
		}
	}
	return true
}

func list(columns []string) string {
	const most = 20
	s := make([]string, 0, most)
	for i, c := range columns {
		if i == most {
			return strings.Join(s, ", ") + fmt.Sprintf(" and %d more", len(columns)-most)
		}
		if c == "" {
			c = strconv.Itoa(i + 1)
		}
		s = append(s, c)
	}
	return strings.Join(s, ", ")
}

func example(columns []string) string {
	if columns[0] == "" {
		return "1"
	}
	return columns[0]
}

// Fixed returns the name of the program if it is the same for every item.
func (t *Template) Fixed() (string, bool) {
	var b strings.Builder
	for _, p := range t.args[0] {
		if p.value != nil {
			return "", false
		}
		b.WriteString(p.lit)
	}
	return b.String(), true
}

// Fill returns the command for one item: number counts from 1, fields are the
// item's columns if there are any. For a script it is that script alone.
func (t *Template) Fill(number int, item string, fields []string) []string {
	out := make([]string, len(t.args))
	for i, parts := range t.args {
		var b strings.Builder
		for _, p := range parts {
			if p.value == nil {
				b.WriteString(p.lit)
				continue
			}
			s := item
			switch {
			case p.value.number:
				s = strconv.Itoa(number)
			case p.value.column >= 0:
				s = fields[p.value.column]
			}
			if p.value.form != nil {
				s = p.value.form(s)
			}
			if p.quoted {
				s = p.place.At(s)
			}
			b.WriteString(s)
		}
		out[i] = b.String()
	}
	return out
}
