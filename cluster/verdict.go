package cluster

import (
	"errors"

	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/weft-go/weft/cluster/internal/desk"
)

type kind int

const (
	ran kind = iota
	lost
	refused
	cancelled
)

// judged is what became of an activity. The workflow and the driver that reads
// its history come to the same.
type judged struct {
	kind    kind
	outcome outcome
	begun   bool // lost: an item had
	at      int  // lost: which one ran
	text    string
}

// judge reads what an activity returned.
func judge(s desk.Span, b []byte) judged {
	var o outcome
	if err := decode(b, &o); err != nil {
		o = outcome{Refused: "the worker's answer can't be read: " + err.Error()}
	}
	if o.Refused == "" && (o.Ran < 0 || o.Ran > s.Hi-s.Lo) {
		o = outcome{Refused: "the worker's answer is about other items"}
	}
	if o.Refused != "" {
		return judged{kind: refused, outcome: o, text: o.Refused}
	}
	return judged{kind: ran, outcome: o}
}

// verdict is judge for the workflow.
func verdict(s desk.Span, b []byte, err error) judged {
	if err == nil {
		return judge(s, b)
	}
	if temporal.IsCanceledError(err) {
		return judged{kind: cancelled}
	}
	if t, ok := errors.AsType[*temporal.TimeoutError](err); ok {
		v := judged{kind: lost, text: t.Error()}
		if t.HasLastHeartbeatDetails() {
			v.begun = t.LastHeartbeatDetails(&v.at) == nil
		}
		return v
	}
	return judged{kind: refused, text: err.Error()}
}

// verdictOf is verdict for who reads the history.
func verdictOf(f *failurepb.Failure, dc converter.DataConverter) judged {
	for f != nil {
		switch {
		case f.GetCanceledFailureInfo() != nil:
			return judged{kind: cancelled}
		case f.GetTimeoutFailureInfo() != nil:
			v := judged{kind: lost, text: f.GetMessage()}
			i := f.GetTimeoutFailureInfo()
			if i.GetTimeoutType() != enumspb.TIMEOUT_TYPE_HEARTBEAT {
				v.text += " (" + i.GetTimeoutType().String() + ")"
			}
			if d := i.GetLastHeartbeatDetails(); d != nil {
				v.begun = dc.FromPayloads(d, &v.at) == nil
			}
			return v
		case f.GetCause() == nil:
			return judged{kind: refused, text: f.GetMessage()}
		}
		f = f.GetCause()
	}
	return judged{kind: refused, text: "no reason was given"}
}
