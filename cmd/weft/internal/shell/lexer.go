package shell

import "strings"

// Lexer follows a script as a POSIX shell reads it, so far that it can tell in
// which quotes a place is. It is fed the script's own text in order, and asked
// at each place where a value goes in. Where shells differ, or where no
// quoting holds, it refuses: a place is never guessed.
type Lexer struct {
	stack  []state
	prev   byte // the character before, 'x' after quotes and values
	esc    bool // after a backslash that quotes the next character
	dollar bool // after a $ that may open something
	cases  bool // the script has a case command
	unsafe string
}

type state byte

const (
	bare    state = iota // top level
	paren                // in ( or $(
	single               // in '
	double               // in "
	param                // in ${
	comment              // after #
)

// NewLexer returns a lexer at the start of script. The script itself is only
// searched for words that need more care.
func NewLexer(script string) *Lexer {
	return &Lexer{stack: []state{bare}, prev: '\n', cases: strings.Contains(script, "esac")}
}

func (l *Lexer) top() state   { return l.stack[len(l.stack)-1] }
func (l *Lexer) push(s state) { l.stack = append(l.stack, s) }
func (l *Lexer) pop()         { l.stack = l.stack[:len(l.stack)-1] }

// refuse marks every later place as one that can not be quoted.
func (l *Lexer) refuse(where string) {
	if l.unsafe == "" {
		l.unsafe = where
	}
}

// Feed reads on over literal text of the script.
func (l *Lexer) Feed(text string) {
	for i := range len(text) {
		l.step(text[i])
	}
}

func (l *Lexer) step(c byte) {
	if l.esc {
		l.esc = false
		if c != '\n' { // a quoted newline is nothing at all
			l.prev = 'x'
		}
		return
	}
	dollar := l.dollar
	l.dollar = false
	switch l.top() {
	case single:
		if c == '\'' {
			l.pop()
			c = 'x'
		}
	case comment:
		if c == '\n' {
			l.pop()
		}
	case param:
		switch c {
		case '}':
			l.pop()
			c = 'x'
		case '\'', '"', '\\', '$', '`', '{':
			l.refuse("after a ${...} with quotes in it")
		}
	case double:
		switch c {
		case '\\':
			l.esc = true
		case '"':
			l.pop()
			c = 'x'
		case '`':
			l.refuse("after a backquote")
		case '$':
			l.dollar = !dollar
		case '(':
			if dollar {
				l.substitute()
			}
		case '{':
			if dollar {
				l.push(param)
			}
		}
	case bare, paren:
		switch c {
		case '\\':
			l.esc = true
			return // prev stays, for a quoted newline
		case '\'':
			if dollar {
				l.refuse("after $'")
			}
			l.push(single)
		case '"':
			l.push(double)
		case '`':
			l.refuse("after a backquote")
		case '$':
			l.dollar = !dollar
		case '{':
			if dollar {
				l.push(param)
			}
		case '(':
			if l.prev == '(' {
				l.refuse("after ((")
			}
			if dollar {
				l.substitute()
			} else {
				l.push(paren)
			}
		case ')':
			// Without an opening one it ends a pattern of a case command.
			if l.top() == paren {
				l.pop()
			}
		case '[':
			if dollar {
				l.refuse("after $[")
			}
		case '<':
			if l.prev == '<' {
				l.refuse("after <<")
			}
		case '#':
			if strings.IndexByte(" \t\n;&|()<>", l.prev) >= 0 && !dollar {
				l.push(comment)
			}
		}
	}
	l.prev = c
}

// substitute enters $(...). The ) of a case pattern inside would look like its
// end, after which the quotes around it would be taken for the wrong ones.
func (l *Lexer) substitute() {
	if l.cases {
		l.refuse("after $( in a script with a case command")
	}
	l.push(paren)
}

// Value says in which quotes the next character is, where a value goes in, and
// reads on over the value. Where is not empty if there no quoting is safe, and
// says what the place is.
func (l *Lexer) Value() (p Place, where string) {
	switch {
	case l.unsafe != "":
		where = l.unsafe
	case l.esc:
		where = "after a backslash"
	case l.dollar:
		where = "after a $"
	default:
		switch l.top() {
		case single:
			p = InSingle
		case double:
			p = InDouble
		case param:
			where = "inside ${...}"
		case comment:
			where = "in a comment"
		}
	}
	l.prev, l.esc, l.dollar = 'x', false, false
	return p, where
}
