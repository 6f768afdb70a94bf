package cluster

import (
	"fmt"
	"reflect"
	"time"

	"github.com/weft-go/weft/internal/crossing"
	"github.com/weft-go/weft/internal/objects"
	"github.com/weft-go/weft/internal/wire"
)

// protocol is the version of the messages and of the workflow. Programs of
// different ones have different queues, and do not meet.
const protocol = 1

const (
	workflowName = "weft.run"
	recordName   = "weft.build"
	activityName = "weft.batch"
	signalName   = "weft.parts"
	queryName    = "weft.progress"
)

// part is some items of one function on their way to workers.
type part struct {
	Seq       uint64
	Func      string
	First     int // index of the first item in the run
	Count     int
	Timeout   time.Duration
	Most      time.Duration
	KeepGoing bool
	Loads     []load // of Count items in all
	Chain     bool   // the items are steps, of functions of their own
}

// step is a task that takes results of those before it.
type step struct {
	Func    string
	Item    []byte
	Links   []link
	Keep    bool
	Timeout time.Duration
}

type link struct{ At, Step int }

// kept is the result of a step that is needed elsewhere.
type kept struct {
	At    int // from the span's first
	Value []byte
}

// load is encoded items.
type load struct {
	Count int
	Items []byte        // unless Ref is set
	Ref   objects.Ref   // where they are
	Bulk  []objects.Ref // large values in them, by their ids
}

// task is what an activity is called with: items of a part.
type task struct {
	Part   []byte
	Lo, Hi int
	Mode   int
}

// outcome is what an activity returns.
type outcome struct {
	Ran      int
	Failures []failed
	Results  []byte // of the items that have not failed, unless Ref is set
	Ref      objects.Ref
	Bulk     []objects.Ref
	Refused  string // why nothing could be run
	Lasting  bool   // and that another worker can't either

	Wall, CPU, Encoding time.Duration
	PeakBytes, Bytes    int64
	Worker              string
}

// failed is the failure of one item, by its place in the span.
type failed struct {
	At int
	F  crossing.Failure
}

// news is what a signal brings to a run's workflow.
type news struct {
	Parts  [][]byte
	Cancel []uint64 // parts
	End    bool
}

func encode(v any) ([]byte, error) {
	var e wire.Encoder
	err := e.Append(reflect.ValueOf(v))
	return e.Buf, err
}

func decode(b []byte, p any) error {
	d := wire.Decoder{Buf: b}
	if err := d.Value(reflect.ValueOf(p).Elem()); err != nil {
		return err
	}
	if len(d.Buf) > 0 {
		return fmt.Errorf("%w: %d bytes too many", wire.ErrCorrupt, len(d.Buf))
	}
	return nil
}
