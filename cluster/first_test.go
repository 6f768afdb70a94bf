package cluster_test

import (
	"testing"
	"time"

	"github.com/weft-go/weft"
)

func TestMap(t *testing.T) {
	t.Parallel()
	b := newBundle(t, theServer(t))
	b.start("-slots", "1")
	b.start("-slots", "1")
	c := b.dial()
	for range 3 {
		begun := time.Now()
		var rep weft.Report
		got, err := weft.Map(t.Context(), ints(1000), double, weft.On(c), weft.Require(weft.Isolation), weft.ReportTo(&rep))
		t.Logf("%v", time.Since(begun))
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range got {
			if v != 2*i {
				t.Fatalf("%d in place %d", v, i)
			}
		}
		t.Log(rep.String())
	}
}
