package cluster

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/cluster/internal/desk"
)

// session is a run that this process drives: a workflow that it sends parts to,
// and whose history it reads for what became of them.
type session struct {
	c      *Cluster
	id     string
	digest string // of the build whose workers it uses
	fn     *weft.Func
	slots  int

	life   context.Context // ends with the session
	end    context.CancelCauseFunc
	tasks  sync.WaitGroup
	run    string        // the workflow's first execution
	begun  time.Time     // when it was started, by this machine's clock
	stored atomic.Bool   // something is in the store
	wake   chan struct{} // has one when there is something to send
	opened chan struct{} // closed when it is settled whether there are workers

	mu      sync.Mutex
	err     error // why it is over
	last    uint64
	groups  map[uint64]*group // under way
	waiting []*pending        // not sent
	cancels []uint64          // not sent
	nanos   float64           // what an item takes, as far as is known
	ending  bool
	closed  bool      // the workflow is over
	heard   time.Time // when a worker last did something
	there   time.Time // when the run began, by the server's clock
}

// pending is what one call of Run waits for.
type pending struct {
	part  // without its number
	group *group
	at    int // of its first item in the group
	over  chan struct{}
	err   error
}

// group is the part that some pendings went in, one mostly: small ones that wait
// go together, so that a thousand of them cost as little as a few.
type group struct {
	seq     uint64
	members []*pending
	open    int // items of which nothing is known
	dropped int // members that nobody waits for
	sent    time.Time
	got     []*piece
	given   map[int]string // items that are given up, and why
	err     error
}

// piece is what became of a span.
type piece struct {
	span    desk.Span
	outcome outcome
	once    sync.Once
	good    reflect.Value // the results of those that have not failed
	err     error
}

// lease is how long a run goes on without news of its driver, which says
// something at least three times as often.
const lease = 90 * time.Second

// sessionOf returns the session of a run, which opens with the first batch.
func (c *Cluster) sessionOf(run *weft.Lifetime, f *weft.Func) (*session, error) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil, ErrClosed
	}
	if s := c.sessions[run]; s != nil {
		c.mu.Unlock()
		return s, nil
	}
	life, end := context.WithCancelCause(context.Background())
	s := &session{
		c: c, id: newID(), fn: f, life: life, end: end,
		wake: make(chan struct{}, 1), opened: make(chan struct{}), groups: map[uint64]*group{},
	}
	c.sessions[run] = s
	s.tasks.Go(s.drive)
	c.mu.Unlock()
	if run != nil {
		run.AfterRun(func() { s.close(nil) })
	}
	return s, nil
}

// close ends the session, and returns when nothing of it runs here.
func (s *session) close(why error) {
	s.mu.Lock()
	s.ending = true
	if why != nil && s.err == nil {
		s.err = why
	}
	s.mu.Unlock()
	s.poke()
	// What drives it ends it, in a few milliseconds if the server answers.
	late := time.AfterFunc(farewell, func() { s.end(ErrClosed) })
	s.tasks.Wait()
	late.Stop()
	s.end(ErrClosed)
	c := s.c
	c.mu.Lock()
	for run, o := range c.sessions {
		if o == s {
			delete(c.sessions, run)
		}
	}
	c.mu.Unlock()
}

// farewell is how long ending a run's workflow and deleting its objects may
// take; what is left ends by itself, and is collected by gc.
const farewell = 5 * time.Second

func (s *session) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// fail ends the session: nobody gets anything any more.
func (s *session) fail(err error) {
	s.mu.Lock()
	if s.err == nil {
		s.err = err
	}
	for _, p := range s.waiting {
		p.err = s.err
		close(p.over)
	}
	s.waiting = nil
	for seq, g := range s.groups {
		g.err = s.err
		s.closeGroup(seq, g)
	}
	s.mu.Unlock()
}

// closeGroup tells those who wait. Called with s.mu held.
func (s *session) closeGroup(seq uint64, g *group) {
	delete(s.groups, seq)
	for _, p := range g.members {
		p.err = g.err
		close(p.over)
	}
}

// submit puts p where it will be sent.
func (s *session) submit(p *pending) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	p.over = make(chan struct{})
	s.waiting = append(s.waiting, p)
	s.poke()
	return nil
}

// drop asks that nothing more be done for p.
func (s *session) drop(p *pending) {
	s.mu.Lock()
	if i := slices.Index(s.waiting, p); i >= 0 {
		s.waiting = slices.Delete(s.waiting, i, i+1)
		close(p.over)
	} else if g := p.group; g != nil && s.groups[g.seq] == g {
		if g.dropped++; g.dropped == len(g.members) {
			s.cancels = append(s.cancels, g.seq)
		}
	}
	s.mu.Unlock()
	s.poke()
}

// drive is the goroutine that sends.
func (s *session) drive() {
	defer s.end(ErrClosed)
	err := s.open()
	close(s.opened)
	if err != nil {
		s.fail(err)
		return
	}
	started := false
	beat := time.NewTimer(lease / 3)
	defer beat.Stop()
	for over := false; !over; {
		idle := false
		select {
		case <-s.wake:
		case <-beat.C:
			idle = started
		case <-s.life.Done():
		}
		for !over {
			n, last, err := s.next()
			if err != nil {
				s.fail(err)
				break
			}
			if over = last; len(n.Parts)+len(n.Cancel) == 0 && !idle {
				break
			}
			idle = false
			if err := s.send(s.life, n, started); err != nil {
				if isNotFound(err) && started {
					// Over: what reads the history says how, and why.
					err = s.awaitEnd(err)
				}
				s.fail(s.c.at.explain(err))
				break
			}
			if !started {
				started = true
				s.tasks.Go(s.follow)
			}
			beat.Reset(lease / 3)
		}
		over = over || s.life.Err() != nil
	}
	s.fail(ErrClosed)
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	if started && !s.isClosed() {
		if err := s.send(ctx, news{End: true}, true); err != nil {
			return // its lease ends it
		}
	}
	s.tidy(ctx)
}

// awaitEnd waits for the history to tell how the run has ended.
func (s *session) awaitEnd(err error) error {
	for begun := time.Now(); time.Since(begun) < patience && wait(s.life, 10*time.Millisecond); {
		if s.isClosed() {
			break
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	return fmt.Errorf("%w (%s): %w", ErrEnded, s.id, err)
}

func (s *session) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// tidy deletes the run's objects.
func (s *session) tidy(ctx context.Context) {
	if s.c.store != nil && s.stored.Load() {
		_, _ = s.c.store.DeletePrefix(ctx, objectPrefix(s.id))
	}
}

func objectPrefix(id string) string { return "runs/" + id }

// mostSignal is how many bytes go in one message; Temporal takes 2 MB.
const mostSignal = 1 << 20

// next takes what is to be sent. over tells that nothing follows.
func (s *session) next() (n news, over bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n.Cancel, s.cancels = s.cancels, nil
	for size := 0; size < mostSignal; {
		k := s.gather()
		if k == 0 {
			break
		}
		s.last++
		g := &group{seq: s.last, members: slices.Clone(s.waiting[:k]), sent: time.Now()}
		whole := g.members[0].part
		whole.Seq, whole.Count, whole.Loads = g.seq, 0, nil
		for _, p := range g.members {
			p.group, p.at = g, whole.Count
			whole.Count += p.Count
			whole.Loads = append(whole.Loads, p.Loads...)
			p.Loads = nil
		}
		b, err := encode(whole)
		if err != nil {
			return n, over, err
		}
		if size += len(b); size > mostSignal && len(n.Parts) > 0 {
			s.last-- // next time
			for i, p := range g.members {
				p.group, p.Loads = nil, whole.Loads[i:i+1]
			}
			break
		}
		g.open = whole.Count
		s.groups[g.seq] = g
		s.waiting = slices.Delete(s.waiting, 0, k)
		n.Parts = append(n.Parts, b)
	}
	return n, len(s.waiting) == 0 && (s.ending || s.err != nil), nil
}

// gather tells how many of those that wait go together next, 0 for none now.
// Called with s.mu held.
func (s *session) gather() int {
	if len(s.waiting) < 2 || s.nanos == 0 {
		return min(1, len(s.waiting))
	}
	items := 0
	for _, p := range s.waiting {
		items += p.Count
	}
	work := time.Duration(float64(items) * s.nanos)
	busy := 2 * max(1, s.slots)
	if len(s.groups) >= busy && work < s.c.cfg.Batch {
		return 0 // the workers have enough, and more may come
	}
	share := max(1, (items+busy-1)/max(1, busy-len(s.groups)))
	first := s.waiting[0]
	k, size, count := 1, first.size(), first.Count
	for k < len(s.waiting) && k < mostTogether {
		p := s.waiting[k]
		size += p.size()
		count += p.Count
		if p.Chain || first.Chain || p.Func != first.Func || p.Timeout != first.Timeout || p.Most != first.Most || p.KeepGoing != first.KeepGoing ||
			size > mostSignal/4 || count > share || time.Duration(float64(count)*s.nanos) > s.c.cfg.Batch/4 {
			break
		}
		k++
	}
	return k
}

// mostTogether bounds how much is run again when a worker is lost.
const mostTogether = 1000

func (p *pending) size() (n int) {
	for _, l := range p.Loads {
		n += len(l.Items) + 200*len(l.Bulk) + 200
	}
	return n
}

// open waits for workers.
func (s *session) open() error {
	for begun := time.Now(); ; {
		digest, ws, err := s.c.find(s.life, s.fn)
		if len(ws) > 0 {
			s.digest, s.slots = digest, slots(ws)
			return nil
		}
		if time.Since(begun) > patience {
			if err == nil {
				err = s.c.noWorkers("")
			}
			return s.c.at.explain(err)
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-s.wake:
			s.mu.Lock()
			over := s.ending || s.err != nil
			s.mu.Unlock()
			if over {
				return ErrClosed
			}
		case <-s.life.Done():
			return context.Cause(s.life)
		}
	}
}

func slots(ws []Worker) (n int) {
	for _, w := range ws {
		n += w.Slots
	}
	return n
}

func (c *Cluster) startOptions(id, digest string) client.StartWorkflowOptions {
	o := client.StartWorkflowOptions{
		ID: id, TaskQueue: taskQueue(c.at.queue, digest), WorkflowTaskTimeout: taskTimeout,
		WorkflowIDReusePolicy: reusing,
		Priority:              temporal.Priority{PriorityKey: c.cfg.Priority, FairnessKey: c.cfg.Fairness, FairnessWeight: float32(c.cfg.FairnessWeight)},
	}
	return o
}

// taskTimeout is how long a worker may take for a step of a workflow, some
// milliseconds, until another one is asked.
const taskTimeout = 5 * time.Second

// send sends one message, again while the server does not answer.
func (s *session) send(ctx context.Context, n news, started bool) error {
	b, err := encode(n)
	if err != nil {
		return err
	}
	c := s.c
	return c.persist(ctx, func(ctx context.Context) error {
		if started {
			return c.client.SignalWorkflow(ctx, s.id, "", signalName, b)
		}
		s.begun = time.Now()
		first := spec{
			Protocol: protocol, Func: s.fn.Name(), Driven: true, Lost: c.cfg.Lost, Lease: lease, Aim: c.cfg.Batch,
			Slots: s.slots, Most: mostOut, Cut: c.cfg.cut, Began: time.Now().UTC(),
		}
		o := c.startOptions(s.id, s.digest)
		o.Memo = memoOf(first)
		run, err := c.client.SignalWithStartWorkflow(ctx, s.id, signalName, b, o, workflowName, first)
		if err == nil {
			s.run = run.GetRunID()
		}
		return err
	})
}

// persist tries again for as long as the config's Patience says while the
// server can't be reached.
func (c *Cluster) persist(ctx context.Context, call func(context.Context) error) error {
	pause := 50 * time.Millisecond
	warned := false
	for begun := time.Now(); ; {
		inner, cancel := context.WithTimeout(ctx, 10*time.Second)
		err := call(inner)
		cancel()
		if err == nil || !passing(err) || ctx.Err() != nil {
			return err
		}
		since := time.Since(begun)
		if since > c.cfg.Patience {
			return c.at.explain(err)
		}
		if since > patience && !warned {
			warned = true
			c.warn("the server at %s does not answer; trying on for %v", c.at.host, c.cfg.Patience)
		}
		if !wait(ctx, pause) {
			return err
		}
		pause = min(2*pause, time.Second)
	}
}

// passing tells whether an error may go away by itself.
func passing(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	switch {
	case is[*serviceerror.Unavailable](err), is[*serviceerror.DeadlineExceeded](err), is[*serviceerror.ResourceExhausted](err), is[*serviceerror.Internal](err), is[*serviceerror.Canceled](err):
		return true
	}
	return false
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// follow is the goroutine that reads the run's history.
func (s *session) follow() {
	stop := make(chan struct{})
	s.tasks.Go(func() { s.watch(stop) })
	defer close(stop)
	t := tail{c: s.c, id: s.id, run: s.run}
	err := t.read(s.life, func(e event) bool {
		if e.worker {
			s.mu.Lock()
			s.heard = time.Now()
			s.mu.Unlock()
		}
		if e.started != nil {
			s.compare(e.at)
		}
		switch {
		case e.closed != enumspb.WORKFLOW_EXECUTION_STATUS_UNSPECIFIED:
			s.mu.Lock()
			s.closed = true
			s.mu.Unlock()
			s.fail(fmt.Errorf("%w (%v, %s): %s", ErrEnded, e.closed, s.id, e.text))
			return false
		case e.span.Hi > 0:
			s.settle(e.span, e.verdict)
		}
		return true
	})
	if err != nil {
		s.fail(err)
	}
	s.poke()
}

// mostSkew is how far clocks may differ without a word.
const mostSkew = 30 * time.Second

// compare notes when the run began by the server's clock.
func (s *session) compare(there time.Time) {
	s.mu.Lock()
	s.there = there
	s.mu.Unlock()
	skew := there.Sub(s.begun)
	if before := time.Duration(s.c.skew.Swap(int64(skew))); skew.Abs() > mostSkew && before.Abs() <= mostSkew {
		s.c.warn("this machine's clock is %v away from the server's; nothing depends on it here, but tokens and certificates may: set it", skew.Round(time.Second))
	}
}

// settle takes over what became of a span.
func (s *session) settle(sp desk.Span, v judged) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.groups[sp.Seq]
	if g == nil {
		return
	}
	n := sp.Hi - sp.Lo
	giveUp := func(lo, hi int, text string) {
		if g.given == nil {
			g.given = map[int]string{}
		}
		for i := lo; i < hi; i++ {
			g.given[i] = text
		}
		g.open -= hi - lo
	}
	switch v.kind {
	case ran:
		g.got = append(g.got, &piece{span: sp, outcome: v.outcome})
		if !v.outcome.Ref.IsZero() || len(v.outcome.Bulk) > 0 {
			s.stored.Store(true)
		}
		g.open -= n
		if o := v.outcome; o.Ran > 0 {
			each := max(1, float64(o.Wall)) / float64(o.Ran)
			if s.nanos == 0 {
				s.nanos = each
			}
			s.nanos += 0.3 * (each - s.nanos)
		}
	case lost:
		_, blamed, ok := desk.Lost(sp, v.begun, v.at)
		switch {
		case !ok:
			giveUp(sp.Lo, sp.Hi, fmt.Sprintf("no worker began it, %d times", sp.Tries+1))
		case blamed >= 0:
			giveUp(blamed, blamed+1, v.text)
		}
	case refused:
		if _, ok := desk.Refused(sp); !ok || v.outcome.Lasting {
			g.err = errors.New(v.text)
			g.open -= n
		}
	case cancelled:
		g.open -= n
	}
	if g.open <= 0 {
		s.closeGroup(sp.Seq, g)
		if len(s.waiting) > 0 {
			s.poke()
		}
	}
}

// watch says, and in the end gives up, when no worker is left.
func (s *session) watch(stop chan struct{}) {
	begun := time.Now()
	var since time.Time
	warned := false
	for every := patience / 2; ; {
		select {
		case <-stop:
			return
		case <-time.After(every):
		}
		s.mu.Lock()
		heard, waiting, there := s.heard, len(s.groups), s.there
		s.mu.Unlock()
		quiet := time.Since(later(heard, begun))
		if waiting == 0 || quiet < patience {
			since = time.Time{}
			continue
		}
		ctx, cancel := context.WithTimeout(s.life, patience)
		ws, err := s.c.workersOf(ctx, s.digest)
		cancel()
		if err != nil {
			continue // whoever sends finds out
		}
		// One that works asks for work every minute at least; one that was
		// there just now may be gone all the same, if nothing has begun.
		fresh := false
		for _, w := range ws {
			fresh = fresh || !heard.IsZero() || w.Seen.After(there)
		}
		if fresh {
			since = time.Time{}
			continue
		}
		if heard.IsZero() {
			s.fail(s.c.noWorkers(fmt.Sprintf(" (nothing began within %v)", patience)))
			s.poke()
			return
		}
		if since.IsZero() {
			since = time.Now()
		}
		if !warned {
			warned = true
			s.c.warn("run %s: no worker is left on the queue %q; it goes on when there is one: start %s", s.id, s.c.at.queue, startWorker)
		}
		if time.Since(since) > s.c.cfg.Patience {
			s.fail(s.c.noWorkers(fmt.Sprintf(", for %v", s.c.cfg.Patience)))
			s.poke()
			return
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
