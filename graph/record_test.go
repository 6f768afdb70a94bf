package graph_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/weft-go/weft/graph"
)

func TestRecordAsJSON(t *testing.T) {
	t.Parallel()
	g := graph.New()
	v := graph.Call(g, double, graph.Const(g, 1))
	rec, err := g.Record(v)
	if err != nil || len(rec.Tasks) != 2 || rec.Ran || rec.Tasks[1].State != graph.StateWaiting {
		t.Fatalf("%+v, %v", rec, err)
	}
	rec.Tasks[1].State = graph.StateSkipped
	b, err := json.Marshal(rec)
	if err != nil {
		t.Fatal(err)
	}
	var back graph.Record
	if err := json.Unmarshal(b, &back); err != nil || !reflect.DeepEqual(&back, rec) {
		t.Errorf("%s\n%+v\n%+v, %v", b, rec, back, err)
	}
}
