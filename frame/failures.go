//go:build cgo

package frame

import (
	"regexp"
	"strconv"
	"sync"
)

// failureLog keeps the errors of Go functions on their way through the engine,
// which knows texts only.
type failureLog struct {
	mu   sync.Mutex
	last int
	errs map[int]error
}

// add keeps an error and returns a text that find finds it by.
func (l *failureLog) add(err error) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.errs == nil {
		l.errs = map[int]error{}
	}
	l.last++
	l.errs[l.last] = err
	delete(l.errs, l.last-10_000) // of queries that ended for another reason
	return "weft failure " + strconv.Itoa(l.last) + "."
}

var failureText = regexp.MustCompile(`weft failure (\d+)\.`)

// find returns the error that a text of the engine is about, nil if none.
func (l *failureLog) find(text string) error {
	m := failureText.FindStringSubmatch(text)
	if m == nil {
		return nil
	}
	n, _ := strconv.Atoi(m[1])
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.errs[n]
	delete(l.errs, n)
	return err
}
