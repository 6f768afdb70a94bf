//go:build cgo

package frame

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"
)

// ShowOut is how Show writes.
type ShowOut struct {
	// Rows is how many rows to show at most; -1 is all, which are held in
	// memory.
	// Defaults to 20.
	Rows int
	// Width is how many columns of text there are.
	// Defaults to the terminal's, and to no limit for what is none.
	Width int
	// Markdown writes a table of Markdown, with all columns and whole values.
	Markdown bool
}

// Show writes the frame's first rows as a table with the names and types of
// the columns, and how many columns and rows there are. It runs the frame up
// to the last row that is shown, and says so if there are more; Count counts
// them. At most one ShowOut says how.
//
// On a terminal the table is as wide as that, else as wide as its values, up
// to 60 characters a column: long values are cut, and columns in the middle
// are left out.
func (f *Frame) Show(ctx context.Context, w io.Writer, how ...ShowOut) error {
	var o ShowOut
	if len(how) > 0 {
		o = how[0]
	}
	switch {
	case len(how) > 1:
		return fmt.Errorf("frame: Show: it takes one ShowOut")
	case o.Rows < -1 || o.Width < 0:
		return fmt.Errorf("frame: Show: ShowOut.Rows is %d and Width %d; they must not be negative, but for -1 rows, which are all", o.Rows, o.Width)
	}
	t, err := f.table(ctx, cmp.Or(o.Rows, 20))
	if err != nil {
		return err
	}
	if f, ok := w.(*os.File); ok && o.Width == 0 && term.IsTerminal(int(f.Fd())) {
		o.Width, _, _ = term.GetSize(int(f.Fd()))
	}
	text := ""
	if o.Markdown {
		text = t.markdown()
	} else {
		text = t.draw(o.Width)
	}
	_, err = io.WriteString(w, text)
	return err
}

// markdown is the table in Markdown.
func (t *table) markdown() string {
	var b strings.Builder
	esc := strings.NewReplacer("|", `\|`, "\n", "<br>", "\r", "")
	line := func(cell func(i int) string) {
		for i := range t.cols {
			b.WriteString("| " + cell(i) + " ")
		}
		b.WriteString("|\n")
	}
	line(func(i int) string { return esc.Replace(t.cols[i].Name) })
	line(func(i int) string {
		if t.cols[i].number() {
			return "---:"
		}
		return "---"
	})
	for _, r := range t.rows {
		line(func(i int) string {
			if r[i] == nil {
				return ""
			}
			return esc.Replace(*r[i])
		})
	}
	return b.String()
}

// table is rows as texts.
type table struct {
	cols []Column
	rows [][]*string
	more bool
}

// table runs a frame for its first rows.
func (f *Frame) table(ctx context.Context, most int) (*table, error) {
	r, err := begin(ctx, f)
	if err != nil {
		return nil, err
	}
	defer r.end()
	sql, err := r.compile(f.n)
	if err != nil {
		return nil, err
	}
	t := &table{}
	var list []string
	for i, c := range r.cols {
		t.cols = append(t.cols, Column{c.name, r.typ(i).name})
		q, err := quoteName(c.name)
		if err != nil {
			return nil, fmt.Errorf("frame: %w", err)
		}
		list = append(list, "CAST("+q+" AS VARCHAR) AS "+q)
	}
	limit := ""
	if most >= 0 {
		limit = fmt.Sprintf(" LIMIT %d", most+1)
	}
	if err := r.prepare("SELECT " + strings.Join(list, ", ") + " FROM (\n" + sql + "\n)" + limit); err != nil {
		return nil, r.explain(err)
	}
	if err := r.query(); err != nil {
		return nil, err
	}
	for {
		got, err := r.textRows()
		if err != nil {
			return nil, err
		}
		if got == nil {
			break
		}
		t.rows = append(t.rows, got...)
	}
	if most >= 0 && len(t.rows) > most {
		t.rows, t.more = t.rows[:most], true
	}
	return t, r.done()
}

// number tells whether a column's values stand at the right.
func (c Column) number() bool {
	t := string(c.Type)
	return fits(c.Type, 0) || strings.HasPrefix(t, "DECIMAL(")
}

const (
	nullText = "-"
	maxCell  = 60
	minCell  = 6
)

// draw draws the table, within a width if that is not 0.
func (t *table) draw(width int) string {
	cells := make([][]string, len(t.cols)) // by column: name, type, values
	wide := make([]int, len(t.cols))
	for i, c := range t.cols {
		cells[i] = append(cells[i], clean(c.Name), clean(string(c.Type)))
		for _, r := range t.rows {
			v := nullText
			if r[i] != nil {
				v = clean(*r[i])
			}
			cells[i] = append(cells[i], v)
		}
		for _, v := range cells[i] {
			wide[i] = max(wide[i], columnsOf(v))
		}
		wide[i] = min(wide[i], maxCell)
	}
	shown, left := fit(wide, width)
	var b strings.Builder
	for line := range len(t.rows) + 2 {
		var out strings.Builder
		for k, i := range shown {
			if k > 0 {
				out.WriteString("  ")
			}
			if i < 0 {
				out.WriteString("...")
				continue
			}
			v := cut(cells[i][line], wide[i])
			pad := strings.Repeat(" ", wide[i]-columnsOf(v))
			if t.cols[i].number() {
				v = pad + v
			} else {
				v += pad
			}
			out.WriteString(v)
		}
		b.WriteString(strings.TrimRight(out.String(), " ") + "\n")
		if line == 1 {
			total := 0
			for _, i := range shown {
				if i < 0 {
					total += 5
				} else {
					total += wide[i] + 2
				}
			}
			b.WriteString(strings.Repeat("-", max(total-2, 0)) + "\n")
		}
	}
	rows := plural(len(t.rows), "row")
	if t.more {
		rows = fmt.Sprintf("the first %d rows of more", len(t.rows))
	}
	fmt.Fprintf(&b, "%s, %s", plural(len(t.cols), "column"), rows)
	if left > 0 {
		fmt.Fprintf(&b, "; %s not shown", plural(left, "column"))
	}
	b.WriteString("\n")
	return b.String()
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// fit chooses the columns to show, -1 for a gap, and narrows the widest.
func fit(wide []int, width int) (shown []int, left int) {
	for i := range wide {
		shown = append(shown, i)
	}
	if width <= 0 {
		return shown, 0
	}
	total := func(is []int) int {
		n := -2
		for _, i := range is {
			if i < 0 {
				n += 5
			} else {
				n += wide[i] + 2
			}
		}
		return n
	}
	for total(shown) > width {
		widest := shown[0]
		for _, i := range shown {
			if i >= 0 && (widest < 0 || wide[i] > wide[widest]) {
				widest = i
			}
		}
		if widest >= 0 && wide[widest] > 3*minCell {
			wide[widest] -= min(total(shown)-width, wide[widest]-3*minCell)
			continue
		}
		at := len(shown) / 2
		switch {
		case len(shown) <= 2:
			return shown, left
		case left == 0:
			shown[at] = -1
		default:
			gap := 0
			for shown[gap] >= 0 {
				gap++
			}
			drop := gap - 1
			if gap < len(shown)-gap || drop < 1 {
				drop = gap + 1
			}
			if drop >= len(shown) {
				return shown, left
			}
			shown = append(shown[:drop:drop], shown[drop+1:]...)
		}
		left++
	}
	return shown, left
}

// clean makes a value one line that no terminal acts on.
func clean(s string) string {
	ok := true
	for _, r := range s {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			ok = false
			break
		}
	}
	if ok {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case !unicode.IsPrint(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// columnsOf is how many columns of a terminal a text takes.
func columnsOf(s string) int {
	n := 0
	for _, r := range s {
		n += runeColumns(r)
	}
	return n
}

func runeColumns(r rune) int {
	switch {
	case unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Me, r) || r == 0x200d || r == 0xfe0f:
		return 0
	case r >= 0x1100 && (r <= 0x115f || r >= 0x2e80 && r <= 0xa4cf || r >= 0xac00 && r <= 0xd7a3 || r >= 0xf900 && r <= 0xfaff || r >= 0xfe30 && r <= 0xfe6f || r >= 0xff00 && r <= 0xff60 || r >= 0xffe0 && r <= 0xffe6 || r >= 0x1f300 && r <= 0x1faff || r >= 0x20000 && r <= 0x3fffd):
		return 2
	}
	return 1
}

func cut(s string, width int) string {
	if columnsOf(s) <= width {
		return s
	}
	n := 0
	for i, r := range s {
		if n+runeColumns(r) > width-3 {
			return s[:i] + "..."
		}
		n += runeColumns(r)
	}
	return s
}
