package key

import (
	htmlt "html/template"
	"math/big"
	"reflect"
	"testing"
	textt "text/template"
	"time"
	_ "time/tzdata"
)

// Values that a function can tell apart have two keys, also where their types
// call themselves by the same name, or the text of both is the same.
func TestTwoKeys(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, pair := range [][2]any{
		{(*htmlt.Template)(nil), (*textt.Template)(nil)},
		{[]*htmlt.Template{}, []*textt.Template{}},
		{time.Date(2026, 1, 2, 3, 4, 5, 6, berlin), time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("CET", 3600))},
		{new(big.Float).SetPrec(100).SetInt64(1), new(big.Float).SetPrec(200).SetInt64(1)},
	} {
		a, err1 := Value(reflect.ValueOf(&pair[0]).Elem(), Options{})
		b, err2 := Value(reflect.ValueOf(&pair[1]).Elem(), Options{})
		if a == b || err1 != nil || err2 != nil {
			t.Errorf("%T and %T: %v %v %v", pair[0], pair[1], a, err1, err2)
		}
	}
}
