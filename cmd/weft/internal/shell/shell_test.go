package shell

import (
	"bytes"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// nasty are values that have broken out of somebody's quoting.
var nasty = []string{
	"", "plain", "two words", "it's", `"`, `\`, `\'`, "'; touch broken; '", "$(touch broken)", "`touch broken`",
	"${HOME}", "$HOME", "a\nb", "\n", "* ? [a]", "~", "-rf", "--", "#", "!x", "&& false", "| cat", ">out", "a\tb",
	"\x01\x7f", "ünïcödé", "\xff\xfe", "'\\''", `'"'"'`, "a'b'c", "$'x'", "{}", "x=1", "\r",
}

// TestPlaces runs sh on values in every place a value may stand.
func TestPlaces(t *testing.T) {
	t.Parallel()
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	scripts := []struct{ before, after, wantBefore, wantAfter string }{
		{"printf '%s\\0' ", "", "", ""},
		{"printf '%s\\0' a", "b", "a", "b"},
		{`printf '%s\0' "`, `"`, "", ""},
		{`printf '%s\0' "x `, ` y"`, "x ", " y"},
		{"printf '%s\\0' 'x ", " y'", "x ", " y"},
		{`printf '%s\0' "a\"`, `\$b"`, `a"`, "$b"},
		{`printf '%s\0' "$(printf %s. `, `)"`, "", "."},
		{`printf '%s\0' "$(printf %s. "q`, `r")"`, "q", "r."},
		{"{ ( printf '%s\\0' ", " ) }", "", ""},
		{"case a in b) ;; a) printf '%s\\0' ", ";; esac", "", ""},
		{"# it's a comment\nprintf '%s\\0' ", "", "", ""},
		{"x=", `; printf '%s\0' "$x"`, "", ""},
		{"x=${HOME#/}; printf '%s\\0' ", "", "", ""},
		{`printf '%s\0' a#"`, `"`, "a#", ""},
	}
	for _, sc := range scripts {
		l := NewLexer(sc.before + sc.after)
		l.Feed(sc.before)
		place, where := l.Value()
		if where != "" {
			t.Errorf("%q: refused: %s", sc.before, where)
			continue
		}
		var script strings.Builder
		var want bytes.Buffer
		for _, v := range nasty {
			script.WriteString(sc.before + place.At(v) + sc.after + "\n")
			want.WriteString(sc.wantBefore + v + sc.wantAfter + "\x00")
		}
		cmd := exec.Command(sh, "-c", script.String())
		cmd.Dir = t.TempDir()
		got, err := cmd.CombinedOutput()
		if err != nil || !bytes.Equal(got, want.Bytes()) {
			t.Errorf("%q _ %q: %v\n got %q\nwant %q", sc.before, sc.after, err, got, want.Bytes())
		}
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for before, want := range map[string]string{
		`echo \`:                             "after a backslash",
		`echo "\`:                            "after a backslash",
		"echo $":                             "after a $",
		`echo "$`:                            "after a $",
		"echo `":                             "after a backquote",
		"echo \"`":                           "after a backquote",
		"x=`date`; echo ":                    "after a backquote",
		"cat <<EOF\n":                        "after <<",
		"echo $((1 + ":                       "after ((",
		"(( ":                                "after ((",
		"echo $[ ":                           "after $[",
		"echo ${x:-":                         "inside ${...}",
		`echo ${x:-"a"} `:                    "after a ${...} with quotes in it",
		"echo # ":                            "in a comment",
		"echo;#":                             "in a comment",
		"echo $'":                            "after $'",
		`echo "$(case x in x) echo ;; esac `: "after $( in a script with a case command",
	} {
		l := NewLexer(before)
		l.Feed(before)
		if _, where := l.Value(); where != want {
			t.Errorf("%q: %q, want %q", before, where, want)
		}
	}
}

func TestWord(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"": "''", "a.txt": "a.txt", "/x/y-1_2:3,4+5@6": "/x/y-1_2:3,4+5@6", "%1": "'%1'",
		"a b": "'a b'", "x=1": "'x=1'", "~": "'~'", "it's": `'it'\''s'`, "é": "'é'", "{}": "'{}'",
	} {
		if got := Word(s); got != want {
			t.Errorf("Word(%q) = %s, want %s", s, got, want)
		}
	}
	if got := Join([]string{"a b", "c", "-x"}); got != "'a b' c -x" {
		t.Errorf("Join = %s", got)
	}
}

// words splits a simple command as POSIX says (2.2 Quoting, 2.3 Token
// Recognition). It knows nothing of Lexer; ok is false where anything is not
// quoted that means more than itself to a shell.
func words(s string) (out []string, ok bool) {
	var word []byte
	in := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case ' ':
			if in {
				out, word, in = append(out, string(word)), nil, false
			}
			continue
		case '\'':
			end := strings.IndexByte(s[i+1:], '\'')
			if end < 0 {
				return nil, false
			}
			word = append(word, s[i+1:i+1+end]...)
			i += 1 + end
		case '"':
			for i++; ; i++ {
				if i >= len(s) || s[i] == '$' || s[i] == '`' {
					return nil, false
				}
				if s[i] == '"' {
					break
				}
				if s[i] == '\\' && i+1 < len(s) && strings.IndexByte("$`\"\\", s[i+1]) >= 0 {
					i++
				}
				word = append(word, s[i])
			}
		case '\\':
			if i++; i >= len(s) || s[i] == '\n' {
				return nil, false
			}
			word = append(word, s[i])
		case '|', '&', ';', '<', '>', '(', ')', '$', '`', '\t', '\n', '*', '?', '[', '#', '~', '=', '%', '!', '{', '}':
			return nil, false
		default:
			word = append(word, c)
		}
		in = true
	}
	if in {
		out = append(out, string(word))
	}
	return out, true
}

// FuzzQuote checks that a value is one word whatever it is and wherever it
// stands, for a parser of its own.
func FuzzQuote(f *testing.F) {
	for _, v := range nasty {
		f.Add(v, "x", "y")
	}
	f.Fuzz(func(t *testing.T, v, a, b string) {
		if strings.ContainsRune(v+a+b, 0) {
			return // no argument holds a NUL
		}
		for _, s := range []struct {
			before, after string
			want          []string
		}{
			{"cmd ", " end", []string{"cmd", v, "end"}},
			{"cmd " + Quote(a), Quote(b) + " end", []string{"cmd", a + v + b, "end"}},
			{`cmd "z `, ` z" end`, []string{"cmd", "z " + v + " z", "end"}},
			{`cmd 'z `, ` z' end`, []string{"cmd", "z " + v + " z", "end"}},
			{`cmd '` + escape(a), escape(b) + `' end`, []string{"cmd", a + v + b, "end"}},
			{`cmd \" `, " end", []string{"cmd", `"`, v, "end"}},
			{`cmd \'"`, `"\' end`, []string{"cmd", "'" + v + "'", "end"}},
		} {
			l := NewLexer(s.before + s.after)
			l.Feed(s.before)
			place, where := l.Value()
			if where != "" {
				t.Fatalf("%q: refused %s", s.before, where)
			}
			script := s.before + place.At(v) + s.after
			if got, ok := words(script); !ok || !slices.Equal(got, s.want) {
				t.Fatalf("%q is %q, want %q", script, got, s.want)
			}
		}
		if got, ok := words(Join([]string{"cmd", v, a, b})); !ok || !slices.Equal(got, []string{"cmd", v, a, b}) {
			t.Fatalf("Join(%q) is %q", []string{"cmd", v, a, b}, got)
		}
	})
}

// FuzzLexer checks on scripts of all kinds that where a value is let in, what
// the value is makes no difference to what sh sees around it: with a harmless
// and with a hostile value the rest of the script is in the same quotes.
func FuzzLexer(f *testing.F) {
	for _, s := range []string{
		`echo @ "@" '@'`, `x="$(echo "@" '@' @)"; @`, `case x in a) @ ;; esac; (@)`, "# it's\n@", `\\@ "\\@" '\'@`,
		`"a\"@" ${x}@ ${x:-y}@`, `a#@ b #c` + "\n@", `$$'@' $"@"`, `(echo @); { @; }`, `""@''`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, script string) {
		parts := strings.Split(script, "@")
		expand := func(v string) (string, []Place, bool) {
			l := NewLexer(script)
			var b strings.Builder
			var places []Place
			for i, p := range parts {
				if i > 0 {
					place, where := l.Value()
					if where != "" {
						return "", nil, false
					}
					places = append(places, place)
					b.WriteString(place.At(v))
				}
				l.Feed(p)
				b.WriteString(p)
			}
			return b.String(), places, true
		}
		harmless, places, ok := expand("v")
		if !ok {
			return
		}
		for _, v := range []string{"", "'", `"`, `'"`, `\`, "$(", "`", "\n", "#", ")", "'; \"$(", "a'\nb"} {
			hostile, same, _ := expand(v)
			if !slices.Equal(places, same) {
				t.Fatalf("the value %q changed the places %v to %v", v, places, same)
			}
			// A second lexer over the finished text ends in the same state.
			a, b := NewLexer(script), NewLexer(script)
			a.Feed(harmless)
			b.Feed(hostile)
			if !slices.Equal(a.stack, b.stack) || a.esc != b.esc {
				t.Fatalf("with %q %q ends in %v, with v in %v", v, script, b.stack, a.stack)
			}
		}
	})
}
