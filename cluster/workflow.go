package cluster

import (
	"fmt"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/weft-go/weft/cluster/internal/desk"
)

// spec is what a run's workflow begins with, or goes on with after its history
// was cut.
type spec struct {
	Protocol int
	Func     string // for people
	Driven   bool   // its parts come as signals from a driver that waits
	Items    int    // in all, 0 if not known
	Lost     time.Duration
	Lease    time.Duration // without news for so long, the driver is gone
	Aim      time.Duration
	Slots    int
	Most     int // spans out at once
	Cut      int // after so many events the history is cut
	Began    time.Time

	Parts [][]byte // to be done, or with work left

	// What a continued one knows.
	Queue    []desk.Span
	Resumed  bool
	Nanos    float64
	LastSeq  uint64
	Progress Progress
}

// Progress is how far a run is.
type Progress struct {
	// Items is how many the run has, 0 if that is not known. Done have run,
	// Failed of them ended with an error.
	Items, Done, Failed int
	// Out is how many batches are with workers or wait for one.
	Out int
	// Losses is how many batches lost their workers, and Refused how many
	// could not be run for another reason and were given out again.
	Losses, Refused int
	// Workers is what each worker did, by its name.
	Workers map[string]Share
	// Ended is set when nothing is left to do.
	Ended bool
}

// Share is what one worker did of a run.
type Share struct {
	Batches, Items int
	Time           time.Duration
}

const (
	// A run's history is cut when it is as long, or as large: the server warns
	// from 10,240 events or 10 MB on, and fails a workflow at 51,200 or 50 MB.
	mostEvents  = 8000
	mostHistory = 6 << 20
	// mostOut keeps far below the 2,000 activities at which a workflow hangs.
	mostOut = 500
	// forever is for what has no limit of its own.
	forever = 365 * 24 * time.Hour
)

// flow is a run's workflow.
type flow struct {
	spec    spec
	desk    desk.Desk
	parts   map[uint64][]byte
	names   map[uint64]string
	left    map[uint64]int // items of a part that is cut here
	cancels map[desk.Span]workflow.CancelFunc
	changed bool
	ended   bool // the driver said so
	stop    bool // cancelled
	gone    bool // the driver is
	heard   bool // of the driver, since the last look
	seen    Progress
}

// runWorkflow is the workflow of a run. It holds no results: those are in the
// history, where drivers read them.
func runWorkflow(ctx workflow.Context, in spec) (Progress, error) {
	if in.Cut <= 0 {
		in.Cut = mostEvents
	}
	if in.Protocol != protocol {
		return in.Progress, temporal.NewNonRetryableApplicationError(
			fmt.Sprintf("the run speaks protocol %d and this worker %d", in.Protocol, protocol), "protocol", nil)
	}
	f := &flow{
		spec: in, parts: map[uint64][]byte{}, names: map[uint64]string{}, left: map[uint64]int{},
		cancels: map[desk.Span]workflow.CancelFunc{}, seen: in.Progress,
		desk: desk.Desk{Most: min(in.Most, mostOut), Aim: in.Aim, Slots: in.Slots, Nanos: in.Nanos},
	}
	f.seen.Items = in.Items
	if f.seen.Workers == nil {
		f.seen.Workers = map[string]Share{}
	}
	if err := f.take(in.Parts, !in.Resumed); err != nil {
		return f.seen, err
	}
	if in.Resumed {
		f.desk.Queue = in.Queue
		f.desk.Resume()
	}
	if err := workflow.SetQueryHandler(ctx, queryName, func() (Progress, error) {
		p := f.seen
		p.Out = f.desk.Out()
		return p, nil
	}); err != nil {
		return f.seen, err
	}
	return f.run(ctx)
}

// take adds parts. With queue they are to be given out.
func (f *flow) take(parts [][]byte, queue bool) error {
	for _, b := range parts {
		var p part
		if err := decode(b, &p); err != nil {
			return temporal.NewNonRetryableApplicationError("a part of the run can't be read: "+err.Error(), "corrupt", nil)
		}
		if f.spec.Driven && p.Seq <= f.spec.LastSeq && queue {
			continue // sent twice
		}
		f.spec.LastSeq = max(f.spec.LastSeq, p.Seq)
		f.parts[p.Seq] = b
		f.names[p.Seq] = p.Func
		f.left[p.Seq] = p.Count
		if queue {
			f.desk.Add(p.Seq, p.Count, f.spec.Driven)
		} else if f.spec.Driven {
			if f.desk.Whole == nil {
				f.desk.Whole = map[uint64]bool{}
			}
			f.desk.Whole[p.Seq] = true
		}
	}
	return nil
}

func (f *flow) run(ctx workflow.Context) (Progress, error) {
	// What goes on after the run was cancelled: waiting for the activities.
	free, release := workflow.NewDisconnectedContext(ctx)
	defer release()
	workflow.Go(free, func(own workflow.Context) {
		ctx.Done().Receive(own, nil)
		f.stop, f.changed = true, true
	})
	if f.spec.Driven {
		workflow.Go(free, f.lease)
	}
	signals := workflow.GetSignalChannel(ctx, signalName)
	for {
		for {
			var b []byte
			if !signals.ReceiveAsync(&b) {
				break
			}
			if err := f.hear(b); err != nil {
				return f.seen, err
			}
		}
		if f.stop || f.gone || f.ended {
			f.cancelAll()
			f.desk.Queue = nil
		}
		cut := f.full(ctx)
		for !cut {
			s, ok := f.desk.Next()
			if !ok {
				break
			}
			f.start(free, s)
			cut = f.full(ctx)
		}
		if f.desk.Out() == 0 {
			switch {
			case f.stop:
				f.seen.Ended = true
				return f.seen, temporal.NewCanceledError(f.seen)
			case f.gone:
				f.seen.Ended = true
				return f.seen, temporal.NewNonRetryableApplicationError("the driver of the run is gone", "abandoned", nil, f.seen)
			case f.ended, !f.spec.Driven && len(f.desk.Queue) == 0:
				f.seen.Ended = true
				return f.seen, nil
			case cut && signals.Len() == 0:
				return f.seen, workflow.NewContinueAsNewError(ctx, workflowName, f.rest())
			}
		}
		f.changed = false
		if err := workflow.Await(free, func() bool { return f.changed || signals.Len() > 0 }); err != nil {
			return f.seen, err
		}
	}
}

// full tells that the history is to be cut.
func (f *flow) full(ctx workflow.Context) bool {
	info := workflow.GetInfo(ctx)
	return info.GetContinueAsNewSuggested() || info.GetCurrentHistoryLength() > f.spec.Cut || info.GetCurrentHistorySize() > mostHistory
}

// rest is what goes on in a new history.
func (f *flow) rest() spec {
	s := f.spec
	s.Parts, s.Queue, s.Resumed, s.Nanos, s.Progress = nil, f.desk.Queue, true, f.desk.Nanos, f.seen
	seen := map[uint64]bool{}
	for _, q := range f.desk.Queue {
		if !seen[q.Seq] {
			seen[q.Seq] = true
			s.Parts = append(s.Parts, f.parts[q.Seq])
		}
	}
	return s
}

// hear takes what the driver says.
func (f *flow) hear(b []byte) error {
	f.heard = true
	var n news
	if err := decode(b, &n); err != nil {
		return temporal.NewNonRetryableApplicationError("a message of the driver can't be read: "+err.Error(), "corrupt", nil)
	}
	if err := f.take(n.Parts, true); err != nil {
		return err
	}
	for _, seq := range n.Cancel {
		f.desk.Drop(seq)
		f.cancelPart(seq)
	}
	f.ended = f.ended || n.End
	return nil
}

func (f *flow) cancelPart(seq uint64) {
	for _, s := range f.spans() {
		if s.Seq == seq {
			f.cancels[s]()
		}
	}
}

func (f *flow) cancelAll() {
	for _, s := range f.spans() {
		f.cancels[s]()
	}
}

// spans is what is out, in an order that does not depend on the map's.
func (f *flow) spans() []desk.Span {
	ss := make([]desk.Span, 0, len(f.cancels))
	for s := range f.cancels { //workflowcheck:ignore sorted below
		ss = append(ss, s)
	}
	slices.SortFunc(ss, func(a, b desk.Span) int {
		if a.Seq != b.Seq {
			return int(a.Seq) - int(b.Seq)
		}
		return a.Lo - b.Lo
	})
	return ss
}

// lease ends the run of a driver that is not heard of.
func (f *flow) lease(ctx workflow.Context) {
	for {
		f.heard = false
		if workflow.Sleep(ctx, f.spec.Lease) != nil {
			return
		}
		if !f.heard {
			f.gone, f.changed = true, true
			return
		}
	}
}

func (f *flow) start(ctx workflow.Context, s desk.Span) {
	in, err := encode(task{Part: f.parts[s.Seq], Lo: s.Lo, Hi: s.Hi, Mode: int(s.Mode)})
	if err != nil {
		panic(err) // it has no field that could fail
	}
	o := workflow.ActivityOptions{
		ActivityID:          s.ID(),
		StartToCloseTimeout: forever,
		HeartbeatTimeout:    f.spec.Lost,
		WaitForCancellation: true,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval: 50 * time.Millisecond, BackoffCoefficient: 2, MaximumInterval: time.Second,
			MaximumAttempts: int32(s.Attempts()),
		},
	}
	inner, cancel := workflow.WithCancel(workflow.WithActivityOptions(ctx, o))
	f.cancels[s] = cancel
	future := workflow.ExecuteActivity(inner, activityName, in)
	workflow.Go(ctx, func(ctx workflow.Context) {
		var b []byte
		err := future.Get(ctx, &b)
		cancel()
		delete(f.cancels, s)
		f.changed = true
		f.over(s, b, err)
	})
}

// over takes what became of a span.
func (f *flow) over(s desk.Span, b []byte, err error) {
	from, to := 0, 0
	switch v := verdict(s, b, err); v.kind {
	case ran:
		o := v.outcome
		f.desk.Done(s, o.Ran, o.Wall)
		f.seen.Done += o.Ran
		f.seen.Failed += len(o.Failures)
		w := f.seen.Workers[o.Worker]
		w.Batches++
		w.Items += o.Ran
		w.Time += o.Wall
		f.seen.Workers[o.Worker] = w
		f.settle(s.Seq, o.Ran)
		if f.spec.Driven && o.Ran < s.Hi-s.Lo {
			f.settle(s.Seq, s.Hi-s.Lo-o.Ran)
		}
	case lost:
		f.seen.Losses++
		from, to = f.desk.Lost(s, v.begun, v.at)
	case refused:
		f.seen.Refused++
		if v.outcome.Lasting {
			f.desk.Cancelled()
			from, to = s.Lo, s.Hi
		} else {
			from, to = f.desk.Refused(s)
		}
	case cancelled:
		f.desk.Cancelled()
		f.settle(s.Seq, s.Hi-s.Lo)
	}
	if n := to - from; n > 0 {
		f.seen.Done += n
		f.seen.Failed += n
		f.settle(s.Seq, n)
	}
}

// settle forgets a part when nothing is left of it.
func (f *flow) settle(seq uint64, n int) {
	if f.left[seq] -= n; f.left[seq] <= 0 {
		delete(f.parts, seq)
		delete(f.names, seq)
		delete(f.left, seq)
		delete(f.desk.Whole, seq)
	}
}

// reusing is how a run's workflow is started: its id is its own.
const reusing = enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE
