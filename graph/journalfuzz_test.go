package graph

import (
	"reflect"
	"testing"
)

// Whatever the file holds, reading it is an error or a program.
func FuzzJournalProgram(f *testing.F) {
	f.Add([]byte(`{"journal":1,"program":"example.com/x"}`))
	f.Add([]byte(`{"journal":2}`))
	f.Add([]byte(``))
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := readProgram(b); err == nil && (p.Journal != 1 || p.Program == "") {
			t.Errorf("%q: %+v", b, p)
		}
	})
}

func TestDigests(t *testing.T) {
	t.Parallel()
	type in struct {
		A map[string]int
		B []byte
		c *int
		E any
	}
	one, uno, two := 1, 1, 2
	base := in{A: map[string]int{"x": 1, "y": 2}, B: []byte("b"), c: &one, E: 3}
	d := func(v any) digest {
		got, err := digestOf(reflect.ValueOf(&v).Elem().Elem())
		if err != nil {
			t.Error(err)
		}
		return got
	}
	same := in{A: map[string]int{"y": 2, "x": 1}, B: []byte("b"), c: &uno, E: 3}
	for range 20 {
		if d(base) != d(same) {
			t.Fatal("the same has another digest")
		}
	}
	for i, other := range []any{in{}, in{A: base.A, B: base.B, c: &two, E: 3}, in{A: base.A, B: base.B, c: &one, E: int8(3)},
		in{A: map[string]int{"x": 2, "y": 1}, B: base.B, c: &one, E: 3}, 3} {
		if d(base) == d(other) {
			t.Errorf("%d has the same digest", i)
		}
	}
	type ring struct{ Next *ring }
	r := &ring{}
	r.Next = r
	if _, err := digestOf(reflect.ValueOf(r)); err == nil {
		t.Error("a ring has a digest")
	}
}
