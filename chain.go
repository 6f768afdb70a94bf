package weft

import (
	"context"
	"reflect"
	"time"
)

// Chain is tasks of a graph that run in one place, one after the other, so that
// what one returns and a later one takes does not travel.
type Chain struct {
	// Steps is what to run, in order.
	Steps []Step
	// Run is the same for all chains of one run, and no other run's.
	Run *Lifetime

	// Ran is how many steps, from the first, have run, and Err the failure of the
	// last of them, which ends the chain. Set by the executor, which may stop
	// early.
	Ran int
	Err error
	// Cost is what it took.
	Cost Cost
}

// Step is one task of a [Chain].
type Step struct {
	// Func is what to call, and Item what with, a value of Func.Item() without
	// what Links bring.
	Func  *Func
	Item  reflect.Value
	Links []Link
	// Timeout bounds the step; 0 is no limit.
	Timeout time.Duration
	// Keep says that the result is needed by others than the chain's steps.
	Keep bool
	// Result is a place for the result, of type Func.Result(). It is filled if
	// Keep is set, and if a step needs it that has not run, or has failed.
	Result reflect.Value
}

// Link brings the result of an earlier step, by its place, to an argument: the
// one at place At of the item, which is a struct or a slice, or the whole item
// if At is -1.
type Link struct{ At, Step int }

// ChainExecutor is an executor to which handing a task over is so dear that
// tasks which need each other go together. Package graph uses it.
type ChainExecutor interface {
	Executor
	// RunChain is Run for a chain.
	RunChain(ctx context.Context, c *Chain) error
}
