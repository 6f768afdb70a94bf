package items

import (
	"context"
	"sync"
)

// Queue reads a source ahead in a goroutine of its own, so that a run can be
// stopped while a read waits, and so that the number of items is known as soon
// as the source has ended.
type Queue struct {
	limit int
	more  chan struct{} // something came, or the source has ended
	room  chan struct{} // something was taken

	mu    sync.Mutex
	items []Item // read and not yet taken
	bytes int    // that they hold
	read  int    // items ever read
	ended bool
	err   error // why, if not because the input was at its end
}

// Ahead starts to read seq. It holds about limit bytes of items that nobody
// took yet. When ctx ends it stops, but a read that waits for its input can
// not be interrupted: such a goroutine lives until the input or the program
// ends.
func Ahead(ctx context.Context, seq Seq, limit int) *Queue {
	q := &Queue{limit: limit, more: make(chan struct{}, 1), room: make(chan struct{}, 1)}
	go q.fill(ctx, seq)
	return q
}

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (it Item) size() int {
	n := len(it.Text) + 64
	for _, f := range it.Fields {
		n += len(f) + 16
	}
	return n
}

func (q *Queue) fill(ctx context.Context, seq Seq) {
	var failed error
	for it, err := range seq {
		if err != nil {
			failed = err
			break
		}
		if !q.put(ctx, it) {
			return
		}
	}
	q.mu.Lock()
	q.ended, q.err = true, failed
	q.mu.Unlock()
	wake(q.more)
}

// put waits for room; false means that ctx ended first.
func (q *Queue) put(ctx context.Context, it Item) bool {
	for {
		q.mu.Lock()
		if q.bytes < q.limit {
			q.items = append(q.items, it)
			q.bytes += it.size()
			q.read++
			q.mu.Unlock()
			wake(q.more)
			return ctx.Err() == nil
		}
		q.mu.Unlock()
		select {
		case <-q.room:
		case <-ctx.Done():
			return false
		}
	}
}

// Items yields what is read until the source or ctx ends. It is for one loop.
func (q *Queue) Items(ctx context.Context) Seq {
	return func(yield func(Item, error) bool) {
		for ctx.Err() == nil {
			q.mu.Lock()
			switch {
			case len(q.items) > 0:
				it := q.items[0]
				q.items[0] = Item{}
				q.items = q.items[1:]
				q.bytes -= it.size()
				q.mu.Unlock()
				wake(q.room)
				if !yield(it, nil) {
					return
				}
				continue
			case q.ended:
				err := q.err
				q.mu.Unlock()
				if err != nil {
					yield(Item{}, err)
				}
				return
			}
			q.mu.Unlock()
			select {
			case <-q.more:
			case <-ctx.Done():
			}
		}
	}
}

// Total is how many items there are, -1 while that is not known.
func (q *Queue) Total() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.ended {
		return -1
	}
	return q.read
}
