// Package crossing takes errors apart so that they can cross to another process
// of the same program, and puts them together again there: the text stays, and
// so does the identity of known errors and what a panic carries. Executors share
// it; it knows none of them.
package crossing
