package key

import (
	"reflect"
	"testing"
)

func TestMapOrder(t *testing.T) {
	a := map[string][]string{"a": {"b"}, "c": nil, "d": {}}
	k, _ := Value(reflect.ValueOf(a), Options{})
	for range 20 {
		k2, _ := Value(reflect.ValueOf(a), Options{})
		if k2 != k {
			t.Fatal("differs")
		}
	}
	type S struct {
		X    float64
		tags map[string]int
		N    *string
		D    bool `memo:"-"`
	}
	n := "x"
	s := S{1, map[string]int{"a": 1}, &n, true}
	k, _ = Value(reflect.ValueOf(s), Options{})
	s.D = false
	k2, _ := Value(reflect.ValueOf(s), Options{})
	if k2 != k {
		t.Fatal("differs")
	}
}
