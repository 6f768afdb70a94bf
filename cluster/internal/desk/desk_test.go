package desk

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestID(t *testing.T) {
	t.Parallel()
	s := Span{Seq: 7, Lo: 3, Hi: 9, Mode: Strict, Tries: 2}
	if got, ok := Parse(s.ID()); !ok || got != s {
		t.Errorf("%q is %+v", s.ID(), got)
	}
	for _, bad := range []string{"", "1.2.3.0", "1.2.3.0.0.0", "a.0.1.0.0", "1.-1.1.0.0", "1.3.3.0.0"} {
		if s, ok := Parse(bad); ok {
			t.Errorf("%q is %+v", bad, s)
		}
	}
}

// Whatever gets lost, each item ends once, as done or as given up, and an item
// that ends its worker is the one that is given up.
func TestEachItemEndsOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		whole := rapid.Bool().Draw(t, "whole")
		d := &Desk{Most: rapid.IntRange(1, 9).Draw(t, "most"), Aim: time.Second, Slots: rapid.IntRange(0, 4).Draw(t, "slots")}
		poison := map[int]bool{}
		n, parts := 0, rapid.IntRange(1, 4).Draw(t, "parts")
		first := map[uint64]int{}
		for i := range parts {
			k := rapid.IntRange(1, 700).Draw(t, "items")
			first[uint64(i+1)] = n
			d.Add(uint64(i+1), k, whole)
			n += k
		}
		for range rapid.IntRange(0, 3).Draw(t, "poisons") {
			poison[rapid.IntRange(0, n-1).Draw(t, "poison")] = true
		}
		ended := make([]int, n)
		var out []Span
		for steps := 0; ; steps++ {
			if steps > 100_000 {
				t.Fatal("it does not come to an end")
			}
			if s, ok := d.Next(); ok {
				if s.Lo >= s.Hi || d.Out() > d.Most {
					t.Fatalf("%+v with %d out", s, d.Out())
				}
				out = append(out, s)
				continue
			}
			if len(out) == 0 {
				break
			}
			i := rapid.IntRange(0, len(out)-1).Draw(t, "which")
			s := out[i]
			out = append(out[:i], out[i+1:]...)
			bad := -1
			for k := s.Lo; k < s.Hi; k++ {
				if poison[first[s.Seq]+k] {
					bad = k
					break
				}
			}
			var from, to int
			switch {
			case bad >= 0:
				at := bad - s.Lo
				if s.Mode == Normal {
					at -= rapid.IntRange(0, min(at, 200)).Draw(t, "behind")
				}
				from, to = d.Lost(s, s.Mode == Strict || s.Tries > 3 || rapid.Bool().Draw(t, "begun"), at)
				if to > from && (from != bad || to != bad+1) {
					t.Fatalf("items %d to %d are given up for %d", from, to, bad)
				}
			case rapid.IntRange(0, 9).Draw(t, "luck") == 0 && s.Tries < MostTries && s.Mode == Normal:
				from, to = d.Refused(s)
			default:
				ran := s.Hi - s.Lo
				if !whole {
					ran = rapid.IntRange(1, ran).Draw(t, "ran")
				}
				for k := range ran {
					ended[first[s.Seq]+s.Lo+k]++
				}
				d.Done(s, ran, time.Duration(ran)*time.Millisecond)
			}
			for k := from; k < to; k++ {
				ended[first[s.Seq]+k]++
				if !poison[first[s.Seq]+k] {
					t.Fatalf("item %d is given up and did nothing", k)
				}
			}
		}
		for i, e := range ended {
			if e != 1 {
				t.Fatalf("item %d of %d ended %d times", i, n, e)
			}
		}
		if d.Left() != 0 || d.Out() != 0 {
			t.Fatalf("%d left, %d out", d.Left(), d.Out())
		}
	})
}

func TestSizes(t *testing.T) {
	t.Parallel()
	d := &Desk{Most: 500, Aim: time.Second, Slots: 2}
	d.Add(1, 100_000, false)
	var probes int
	for {
		s, ok := d.Next()
		if !ok {
			break
		}
		if probes++; s.Hi-s.Lo != 1 {
			t.Fatalf("a probe of %d items", s.Hi-s.Lo)
		}
	}
	if probes != 4 {
		t.Errorf("%d probes for two slots", probes)
	}
	d.Done(Span{Seq: 1, Lo: 0, Hi: 1}, 1, 10*time.Millisecond)
	if s, _ := d.Next(); s.Hi-s.Lo != 100 {
		t.Errorf("a second's worth of items of 10 ms is %d", s.Hi-s.Lo)
	}
	d.Nanos = 1 // tiny items: guided, so that both workers have some
	if s, _ := d.Next(); s.Hi-s.Lo < 10_000 {
		t.Errorf("%d tiny items", s.Hi-s.Lo)
	}
}
