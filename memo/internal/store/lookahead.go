package store

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"math/bits"

	"github.com/weft-go/weft/memo/internal/key"
)

// Trimming looks at the file of each record to learn whether it was used since.
// Where nearly all were, in a large store that is in steady use, that is
// minutes of looking in vain. But the journal has the later use too. So after
// some thousand such files, trimming reads on in the journal, and then looks
// only at entries whose records are the last ones. An entry with a later record
// is not lost: it is that record's turn then.

// overtaken says which of the next records of the journal have a later one for
// the same key.
type overtaken struct {
	// slots are a hash table, a key's hash and the place of its last record.
	slots   []uint64
	limit   int64
	base    map[uint64]int64 // of a segment: the place of its begin
	upTo    map[uint64]int64 // where its last record in the table ends
	endSeq  uint64           // the table ends in this segment
	endAt   int64
	skipped int
}

const (
	// lookAfter is how many files are looked at in vain before the journal is
	// read on: as long as reading a million records takes.
	lookAfter = 1 << 14
	// lookMost is how many records go into the table: 64 MiB.
	lookMost  = 1 << 22
	placeBits = 23
	beyond    = 1<<placeBits - 1 // the place of all that come after the table
)

func (o *overtaken) slot(k key.Key) (i, hash uint64) {
	h := binary.LittleEndian.Uint64(k[:8])
	hash = binary.LittleEndian.Uint64(k[8:16]) &^ beyond
	if hash == 0 {
		hash = 1 << placeBits
	}
	mask := uint64(len(o.slots) - 1)
	for i = h & mask; o.slots[i] != 0 && o.slots[i]&^beyond != hash; i = (i + 1) & mask {
	}
	return i, hash
}

// lookAhead reads the journal from a place on.
func (s *Store) lookAhead(ctx context.Context, list []uint64, seq uint64, at int64, most int64) (*overtaken, error) {
	var size int64
	for _, n := range list {
		if n < seq {
			continue
		}
		info, err := s.fs.Stat(segmentName(n))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if err == nil {
			size += info.Size()/recordSize + 1
		}
	}
	slots := int64(1) << bits.Len64(uint64(max(256, 2*min(most, size))-1))
	o := &overtaken{slots: make([]uint64, slots), limit: min(most, slots*3/4), base: map[uint64]int64{}, upTo: map[uint64]int64{}}
	place := int64(0)
	for _, n := range list {
		if n < seq {
			continue
		}
		from := int64(0)
		if n == seq {
			from = at
		}
		base, end := place-from/recordSize, from
		err := s.scan(n, from, func(r record, to int64) bool {
			end = to
			if r.kind != put && r.kind != touched {
				return true
			}
			i, hash := o.slot(r.key)
			switch p := base + to/recordSize; {
			case p < o.limit:
				o.slots[i] = hash | uint64(p)
				o.upTo[n], o.endSeq, o.endAt = to, n, to
			case o.slots[i] != 0:
				o.slots[i] = hash | beyond
			}
			return true
		})
		if err != nil {
			return nil, err
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		o.base[n] = base
		place = base + end/recordSize + 1
	}
	return o, nil
}

// ended tells whether a record comes after those in the table.
func (o *overtaken) ended(seq uint64, end int64) bool {
	return seq > o.endSeq || seq == o.endSeq && end > o.endAt
}

// has tells whether a record, which ends at a place of a segment, has a later
// one. What another process has added since the table was made has none.
func (o *overtaken) has(r record, seq uint64, end int64) bool {
	if end > o.upTo[seq] {
		return false
	}
	i, hash := o.slot(r.key)
	return o.slots[i] != 0 && o.slots[i] != hash|uint64(o.base[seq]+end/recordSize)
}

// scan calls f for each whole record of a segment from a place on, with the
// place where the record ends, until f returns false.
func (s *Store) scan(n uint64, at int64, f func(r record, end int64) bool) error {
	file, err := s.fs.Open(segmentName(n))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	b := make([]byte, 1<<20)
	for {
		got, err := file.ReadAt(b, at)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		stopped := false
		used := records(b[:got], func(r record, end int) bool {
			stopped = !f(r, at+int64(end))
			return !stopped
		})
		at += int64(used)
		if stopped || err != nil || used == 0 {
			return nil
		}
	}
}
