// Package guard is a second weft process that ends the jobs of a first one
// which died without doing so itself, also by kill -9.
//
// It is connected to the first by a pipe, along which it is told each process
// group that begins and ends. The end of the pipe without a farewell means
// that the first is gone; then the guard kills the groups that are left. It is
// in a session of its own, out of reach of the terminal's signals.
package guard

import (
	"bufio"
	"io"
	"strconv"
)

// Command is the hidden first argument that makes weft a guard. The mark of
// the run follows it.
const Command = "__guard"

// Variable is the environment variable that marks the processes of a run.
const Variable = "WEFT_RUN"

const farewell = "."

// follow reads what groups there are, until the farewell (true) or the end of
// the pipe.
func follow(in io.Reader) (groups map[int]bool, bye bool) {
	groups = map[int]bool{}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		line := lines.Text()
		if line == farewell {
			return groups, true
		}
		if len(line) < 2 {
			continue
		}
		n, err := strconv.Atoi(line[1:])
		if err != nil || n <= 1 { // 0 and 1 would name groups that are not ours
			continue
		}
		switch line[0] {
		case '+':
			groups[n] = true
		case '-':
			delete(groups, n)
		}
	}
	return groups, false
}
