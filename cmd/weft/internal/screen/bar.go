package screen

import (
	"fmt"
	"strings"
	"time"
)

// bar counts.
type bar struct {
	begin                 time.Time
	total                 func() int
	done, failed, skipped int
}

func (b *bar) state() state {
	return state{b.done, b.failed, b.skipped, b.total(), time.Since(b.begin)}
}

// state is how far a run is at a moment.
type state struct {
	done, failed, skipped int
	total                 int // -1: unknown
	elapsed               time.Duration
}

// left is the time until the end, as far as the jobs so far tell; -1 if they
// do not.
func (s state) left() time.Duration {
	if s.total < 0 || s.done == 0 {
		return -1
	}
	todo := s.total - s.done - s.skipped
	return time.Duration(float64(s.elapsed) / float64(s.done) * float64(todo))
}

func (s state) counts() string {
	n := fmt.Sprint(s.done + s.skipped)
	if s.total >= 0 {
		n += fmt.Sprintf("/%d", s.total)
	}
	return n
}

// notes are the things to say after the count.
func (s state) notes() string {
	var b strings.Builder
	if s.failed > 0 {
		fmt.Fprintf(&b, ", %d failed", s.failed)
	}
	if s.skipped > 0 {
		fmt.Fprintf(&b, ", %d done before", s.skipped)
	}
	b.WriteString(", " + clock(s.elapsed))
	if left := s.left(); left >= 0 && s.done+s.skipped < s.total {
		b.WriteString(", ETA " + clock(left))
	}
	return b.String()
}

// line is the plain form.
func (s state) line() string { return "weft: " + s.counts() + " jobs" + s.notes() }

// bar is the form for a terminal with so many columns.
func (s state) bar(width int) string {
	head, tail := s.counts(), strings.TrimPrefix(s.notes(), ", ")
	room := width - len(head) - len(tail) - len("  [] ")
	if s.total > 0 && room >= 10 {
		room = min(room, 50)
		full := min(room, room*(s.done+s.skipped)/s.total)
		head += " [" + strings.Repeat("=", full) + strings.Repeat(" ", room-full) + "]"
	}
	text := head + " " + tail
	if len(text) > width {
		text = text[:width]
	}
	return text
}

// clock writes a time as people say it: 4s, 3m05s, 2h07m.
func clock(d time.Duration) string {
	s := int(d.Round(time.Second) / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	default:
		return fmt.Sprintf("%dh%02dm", s/3600, s/60%60)
	}
}
