// Package desk decides what a run hands out next: which items of which part, in
// what size, and what becomes of those whose worker was lost. It is pure, so
// that the same events give the same decisions in the workflow, in its replay,
// and in the driver that follows it.
package desk
