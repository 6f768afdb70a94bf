package desk

import (
	"math"
	"slices"
	"time"
)

// Desk is the work of one run that has not been done. The zero value has none.
type Desk struct {
	// Most is how many spans may be out at once.
	Most int
	// Aim is how much work a span should hold, where the desk cuts them.
	Aim time.Duration
	// Slots is how many items can run at once, as far as is known.
	Slots int
	// Nanos is what an item takes; 0 until one has been measured.
	Nanos float64

	// Queue has what is not out, the next first.
	Queue []Span
	// Whole has the parts that are given out as they are.
	Whole map[uint64]bool

	out  int
	left int // items in Queue
}

// Add puts a part of n items at the end. A part that is whole is not cut: its
// sender has sized it, and takes back what does not run.
func (d *Desk) Add(seq uint64, n int, whole bool) {
	if whole {
		if d.Whole == nil {
			d.Whole = map[uint64]bool{}
		}
		d.Whole[seq] = true
	}
	d.Queue = append(d.Queue, Span{Seq: seq, Hi: n})
	d.left += n
}

// Resume counts what is in Queue, for a desk that was put together again.
func (d *Desk) Resume() {
	d.left = 0
	for _, s := range d.Queue {
		d.left += s.Hi - s.Lo
	}
}

// Out is how many spans are out.
func (d *Desk) Out() int { return d.out }

// Left is how many items have not been given out.
func (d *Desk) Left() int { return d.left }

// Next gives out a span, if there is one and one more may be out.
func (d *Desk) Next() (s Span, ok bool) {
	if len(d.Queue) == 0 || d.out >= d.Most {
		return s, false
	}
	first := &d.Queue[0]
	n := first.Hi - first.Lo
	if !d.Whole[first.Seq] && first.Mode == Normal {
		if d.Nanos == 0 && d.out >= 2*max(1, d.Slots) {
			return s, false // enough to measure
		}
		n = min(n, d.size())
	}
	s = *first
	s.Hi = s.Lo + n
	if first.Lo += n; first.Lo == first.Hi {
		d.Queue = slices.Delete(d.Queue, 0, 1)
	} else {
		first.Tries = 0
	}
	d.out++
	d.left -= n
	return s, true
}

// size is how many items to give out: as many as take Aim, less towards the
// end, so that a last one does not run alone for long.
func (d *Desk) size() int {
	if d.Nanos <= 0 {
		return 1
	}
	aim := float64(d.Aim) / d.Nanos
	guided := float64(d.left) / float64(4*max(1, d.Slots))
	return int(min(max(1, aim/10, min(guided, aim)), math.MaxInt32))
}

// Done takes a span back of which ran items have run, in the given time. The
// rest is given out again, unless the part is whole.
func (d *Desk) Done(s Span, ran int, wall time.Duration) {
	d.out--
	if ran > 0 && wall >= 0 {
		each := float64(max(1, wall)) / float64(ran)
		if d.Nanos == 0 {
			d.Nanos = each
		} else {
			// Weighed by how much was seen, so that one odd item counts little.
			w := min(0.5, float64(wall)/float64(d.Aim+1))
			d.Nanos += max(w, 0.1) * (each - d.Nanos)
		}
	}
	if rest := (Span{Seq: s.Seq, Lo: s.Lo + ran, Hi: s.Hi, Mode: s.Mode}); !d.Whole[s.Seq] {
		d.front(add(nil, rest))
	}
}

// Lost takes back a span whose workers were lost, and returns the items that
// are given up.
func (d *Desk) Lost(s Span, begun bool, at int) (from, to int) {
	d.out--
	again, blamed, ok := Lost(s, begun, at)
	if !ok {
		return s.Lo, s.Hi
	}
	d.front(again)
	if blamed < 0 {
		return 0, 0
	}
	return blamed, blamed + 1
}

// Refused takes back a span that a worker could not run, and returns the items
// that are given up.
func (d *Desk) Refused(s Span) (from, to int) {
	d.out--
	again, ok := Refused(s)
	if !ok {
		return s.Lo, s.Hi
	}
	d.front([]Span{again})
	return 0, 0
}

// Drop forgets what has not been given out of a part.
func (d *Desk) Drop(seq uint64) {
	d.Queue = slices.DeleteFunc(d.Queue, func(s Span) bool {
		if s.Seq == seq {
			d.left -= s.Hi - s.Lo
			return true
		}
		return false
	})
}

// Cancelled takes a span back of which nothing more is to be done.
func (d *Desk) Cancelled() { d.out-- }

func (d *Desk) front(ss []Span) {
	for _, s := range ss {
		d.left += s.Hi - s.Lo
	}
	d.Queue = slices.Insert(d.Queue, 0, ss...)
}
