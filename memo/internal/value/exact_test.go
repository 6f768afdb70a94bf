package value

import (
	"math/big"
	"net/url"
	"reflect"
	"testing"
	"time"
	_ "time/tzdata"
)

func back[T any](t *testing.T, v T) (out T) {
	t.Helper()
	b, err := Append(nil, reflect.ValueOf(&v).Elem())
	if err != nil {
		t.Fatal(err)
	}
	if err := Read(b, reflect.ValueOf(&out).Elem(), false); err != nil {
		t.Fatal(err)
	}
	return out
}

// What the marshalers of the standard library leave out comes back all the
// same.
func TestStandardTypesAreExact(t *testing.T) {
	t.Parallel()
	long := new(big.Float).SetPrec(300).SetMode(big.ToZero).Quo(big.NewFloat(1), big.NewFloat(3))
	if got := back(t, long); got.Cmp(long) != 0 || got.Prec() != 300 || got.Mode() != big.ToZero {
		t.Error(got.Prec(), got.Mode(), got)
	}
	u := url.URL{Path: "a:b", RawPath: "", Opaque: "", User: url.UserPassword("u", ""), ForceQuery: true}
	if got := back(t, u); !reflect.DeepEqual(got, u) {
		t.Errorf("%#v", got)
	}
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, loc := range []*time.Location{berlin, time.UTC, time.Local, time.FixedZone("CET", 3600), time.FixedZone("odd", 61)} {
		for _, month := range []time.Month{1, 7} {
			v := time.Date(2026, month, 2, 3, 4, 5, 6, loc)
			got := back(t, v)
			half, want := got.AddDate(0, 6, 0), v.AddDate(0, 6, 0)
			if !got.Equal(v) || got.Format(time.RFC1123) != v.Format(time.RFC1123) || !half.Equal(want) || got.Location().String() != loc.String() {
				t.Errorf("%v: %v, %v", v, got, half)
			}
		}
	}
}
