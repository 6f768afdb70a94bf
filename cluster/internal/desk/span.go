package desk

import (
	"strconv"
	"strings"
)

// Mode is with how much care items are run.
type Mode int

const (
	// Normal tells the server now and then which item runs; on a second attempt
	// several times a second.
	Normal Mode = iota
	// Strict tells the server before each item which one it is, so that the
	// item that loses its worker is known.
	Strict
)

// Span is items Lo to Hi, without Hi, of a part: what one activity runs.
type Span struct {
	Seq    uint64 // of the part
	Lo, Hi int
	Mode   Mode
	Tries  int // that came to nothing for reasons that are not the items'
}

// ID is the name of the activity that runs the span.
func (s Span) ID() string {
	b := strconv.AppendUint(nil, s.Seq, 10)
	for _, n := range []int{s.Lo, s.Hi, int(s.Mode), s.Tries} {
		b = strconv.AppendInt(append(b, '.'), int64(n), 10)
	}
	return string(b)
}

// Parse undoes ID.
func Parse(id string) (s Span, ok bool) {
	f := strings.Split(id, ".")
	if len(f) != 5 {
		return s, false
	}
	seq, err := strconv.ParseUint(f[0], 10, 64)
	if err != nil {
		return s, false
	}
	var n [4]int
	for i := range n {
		if n[i], err = strconv.Atoi(f[i+1]); err != nil || n[i] < 0 {
			return s, false
		}
	}
	s = Span{Seq: seq, Lo: n[0], Hi: n[1], Mode: Mode(n[2]), Tries: n[3]}
	return s, s.Lo < s.Hi
}

const (
	// attempts is how many workers a span may lose before it is looked at more
	// closely: the first may have had bad luck.
	attempts = 2
	// strictly is how many items are run with a word before each. Beats are
	// some 20 ms apart on a second attempt, so that the one that loses its
	// workers is among few, unless items are tiny.
	strictly = 500
	// MostTries is how often a span is given out again though none of its items
	// has begun, or the worker could not get at the items.
	MostTries = 8
)

// Attempts is how many workers the span may lose before Lost is asked.
func (s Span) Attempts() int {
	if s.Mode == Strict || s.Hi-s.Lo == 1 {
		return 1
	}
	return attempts
}

// Lost says what becomes of a span whose workers were lost. at is the item that
// ran, counted from Lo, as far as is known; begun tells that any had. blamed is
// the place in the part of an item that is given up, -1 if there is none; with
// ok false the whole span is.
func Lost(s Span, begun bool, at int) (again []Span, blamed int, ok bool) {
	n := s.Hi - s.Lo
	switch {
	case s.Mode == Normal && n == 1:
		// By itself it will be known whether it had begun.
		s.Mode = Strict
		return []Span{s}, -1, true
	case !begun:
		// Handed to a worker that was gone already: nobody's fault.
		s.Tries++
		return []Span{s}, -1, s.Tries <= MostTries
	}
	at = s.Lo + min(max(0, at), n-1)
	again = add(again, Span{Seq: s.Seq, Lo: s.Lo, Hi: at})
	if s.Mode == Strict {
		return add(again, Span{Seq: s.Seq, Lo: at + 1, Hi: s.Hi}), at, true
	}
	end := min(s.Hi, at+strictly)
	again = add(again, Span{Seq: s.Seq, Lo: at, Hi: end, Mode: Strict})
	return add(again, Span{Seq: s.Seq, Lo: end, Hi: s.Hi}), -1, true
}

// Refused says what becomes of a span that a worker could not run.
func Refused(s Span) (again Span, ok bool) {
	s.Tries++
	return s, s.Tries <= MostTries
}

func add(ss []Span, s Span) []Span {
	if s.Lo < s.Hi {
		ss = append(ss, s)
	}
	return ss
}
