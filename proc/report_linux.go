package proc

import (
	"encoding"
	"fmt"
	"reflect"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weft-go/weft/internal/crossing"
	"github.com/weft-go/weft/internal/wire"
	"github.com/weft-go/weft/shm"
)

// report sends what the job's head says. Its time counts as encoding of the
// next report.
func (s *server) report() {
	j := s.job
	h := &j.head
	from, to := h.first, h.first+h.count
	var failures []failed
	for i := from; i < to; i++ {
		if err := j.b.Errs[i]; err != nil {
			failures = append(failures, failed{i - from, *crossing.Pack(err, s.errs)})
		}
	}
	begun := time.Now()
	results := j.b.Results
	if results.IsValid() {
		results = results.Slice(from, to)
		failures = s.tryEncode(results, failures)
	}
	h.failures = len(failures)
	h.encoding += time.Since(begun)
	h.controls = s.sent
	at := len(s.out.Buf)
	s.out.Buf = beginFrame(s.out.Buf)
	h.append(&s.out)
	err := s.out.Append(reflect.ValueOf(failures))
	s.out.Buf = append(s.out.Buf, s.results.Buf...)
	if err == nil {
		err = endFrame(s.out.Buf[at:], kindResults)
	}
	if err != nil {
		s.complain(err.Error())
	}
	s.results.Buf = s.results.Buf[:0]
	if cap(s.results.Buf) > keepBuffer {
		s.results.Buf = nil
	}
	// Those of short messages go together, as long as there are more of them.
	if !h.final || h.wall > tinyBatch || len(s.out.Buf) > 32<<10 {
		s.flush()
	}
}

// flush sends what report has gathered.
func (s *server) flush() {
	if len(s.out.Buf) == 0 {
		return
	}
	if _, err := s.data.Write(s.out.Buf); err != nil {
		s.complain("its connection to the pool: " + err.Error())
	}
	s.out.Buf = s.out.Buf[:0]
	if cap(s.out.Buf) > keepBuffer {
		s.out.Buf = nil
	}
}

// failed is the failure of one item of a report.
type failed struct {
	At int
	F  crossing.Failure
}

// tryEncode encodes the results of the items that have not failed. One that
// can't be encoded becomes the failure of its item.
func (s *server) tryEncode(results reflect.Value, failures []failed) []failed {
	s.results.Bulk, s.results.BulkFrom, s.results.Notice = nil, s.share, s.notice
	if s.share > 0 {
		s.results.Bulk = s.offer
	}
	err := s.encode(&s.results, without(results, failures))
	if err == nil && len(s.results.Buf) <= mostFrame-keepBuffer {
		return failures
	}
	s.results.Buf = s.results.Buf[:0]
	have := make(map[int]bool, len(failures))
	for _, f := range failures {
		have[f.At] = true
	}
	tooMany := err == nil
	if tooMany {
		err = fmt.Errorf("the results of one batch are more than the %d bytes that travel at once; return less, or put the data into shared memory (package shm)", mostFrame-keepBuffer)
	}
	for i := range results.Len() {
		if have[i] {
			continue
		}
		if tooMany {
			failures = append(failures, failed{i, crossing.Failure{Text: err.Error()}})
			continue
		}
		var e wire.Encoder
		if err := s.encode(&e, results.Slice(i, i+1)); err != nil {
			failures = append(failures, failed{i, crossing.Failure{Text: "its result can't be encoded: " + err.Error()}})
		}
	}
	s.results.Bulk = nil
	if err := s.encode(&s.results, without(results, failures)); err != nil {
		s.complain(err.Error())
	}
	return failures
}

// without returns the results of the items that have not failed: what a failed
// item leaves may not be fit to be sent.
func without(results reflect.Value, failures []failed) reflect.Value {
	if len(failures) == 0 {
		return results
	}
	bad := make(map[int]bool, len(failures))
	for _, f := range failures {
		bad[f.At] = true
	}
	good := reflect.MakeSlice(results.Type(), 0, results.Len()-len(failures))
	for i := range results.Len() {
		if !bad[i] {
			good = reflect.Append(good, results.Index(i))
		}
	}
	return good
}

// encode is Append, with the panics of the user's MarshalBinary as errors.
func (s *server) encode(e *wire.Encoder, v reflect.Value) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = crossing.NewPanic(p)
		}
	}()
	return e.Append(v)
}

// offer puts a large slice of a result into a segment of its own and sends its
// descriptor ahead.
func (s *server) offer(memory []byte) (uint64, bool, error) {
	fd, err := newSegment(memory)
	if err != nil {
		return 0, false, nil // no room: it is copied through the socket
	}
	defer unix.Close(fd) //nolint:errcheck // the parent has its own
	s.offered++
	if err := send(s.control.fd, controlSegment, s.offered, nil, fd); err != nil {
		return 0, false, nil
	}
	s.sent++
	return s.offered, true, nil
}

// notice sends the descriptors of handles that results hold ahead.
func (s *server) notice(v encoding.BinaryMarshaler) {
	h, ok := v.(interface{ Ref() shm.Ref })
	if !ok {
		return
	}
	if sendHandle(s.control.fd, h.Ref()) == nil {
		s.sent++
	}
}

// sendHandle sends what a handle stands for. One that stands for nothing (any
// more) goes without; opening it says so.
func sendHandle(to int, r shm.Ref) error {
	data, err := r.MarshalBinary()
	if err != nil {
		return err
	}
	f, err := r.File()
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // the other side has its own
	return send(to, controlHandle, 0, data, int(f.Fd()))
}
