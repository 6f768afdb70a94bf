package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/zeebo/xxh3"

	"github.com/weft-go/weft/memo/internal/key"
)

// An entry is one file:
//
//	  0  8  magic
//	  8  2  version
//	 10  2  flags
//	 12  4  length of the meta data
//	 16  8  length of the payload as stored
//	 24  8  length of the payload itself
//	 32  8  when it was made, in Unix nanoseconds
//	 40  8  how long the function took, in nanoseconds
//	 48 20  key
//	 68 20  code
//	 88 16  XXH3-128 of the payload as stored
//	104 16  zero
//	120  8  XXH3-64 of the 120 bytes before and of the meta data
//	128     meta data: strings, each behind its length
//	        zeros to the next multiple of 64
//	        payload
//
// Numbers are little-endian.
const (
	magic      = "\x89memo\r\n\x1a"
	version    = 1
	headerSize = 128
	alignment  = 64
	// mostMeta bounds what a damaged length can make us read.
	mostMeta = 1 << 16

	flagZstd = 1 << 0
)

// Head is what stands before an entry's payload.
type Head struct {
	Key      key.Key
	Code     key.Key // of the function that made it
	Function string
	Args     string // for people
	Level    string
	Created  time.Time
	Took     time.Duration
	Size     int64 // of the payload, unpacked
	Stored   int64 // as it lies there
	flags    uint16
	sum      xxh3.Uint128
	offset   int64 // of the payload
}

// FileSize is the length of the entry's file.
func (h *Head) FileSize() int64 { return h.offset + h.Stored }

// Packed tells whether the payload is compressed.
func (h *Head) Packed() bool { return h.flags&flagZstd != 0 }

// appendHead writes everything up to the payload.
func (h *Head) appendHead(b []byte) []byte {
	begin := len(b)
	le := binary.LittleEndian
	b = append(b, magic...)
	b = le.AppendUint16(b, version)
	b = le.AppendUint16(b, h.flags)
	b = append(b, 0, 0, 0, 0)
	b = le.AppendUint64(b, uint64(h.Stored))
	b = le.AppendUint64(b, uint64(h.Size))
	b = le.AppendUint64(b, uint64(h.Created.UnixNano()))
	b = le.AppendUint64(b, uint64(h.Took))
	b = append(b, h.Key[:]...)
	b = append(b, h.Code[:]...)
	b = le.AppendUint64(b, h.sum.Lo)
	b = le.AppendUint64(b, h.sum.Hi)
	b = append(b, make([]byte, headerSize-104)...)
	for _, s := range []string{h.Function, h.Args, h.Level} {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	meta := len(b) - begin - headerSize
	le.PutUint32(b[begin+12:], uint32(meta))
	le.PutUint64(b[begin+120:], headSum(b[begin:]))
	h.offset = roundUp(int64(headerSize + meta))
	return append(b, make([]byte, h.offset-int64(headerSize+meta))...)
}

func headSum(b []byte) uint64 {
	var h xxh3.Hasher
	_, _ = h.Write(b[:120])
	_, _ = h.Write(b[headerSize:])
	return h.Sum64()
}

func roundUp(n int64) int64 { return (n + alignment - 1) / alignment * alignment }

// DamageError is an entry that can't be used.
type DamageError struct {
	Name string // of the file, below the store
	Why  string
}

func (e *DamageError) Error() string { return fmt.Sprintf("%s: %s", e.Name, e.Why) }

var (
	errShort = errors.New("too short for its header")
	// errNewer is not damage, but of no use either.
	errNewer = errors.New("written by a newer version of memo")
)

// parseHead reads what stands before a payload. need is how many bytes it
// takes, where b is too short for them.
func parseHead(b []byte) (h Head, need int, err error) {
	if len(b) < headerSize {
		return h, 0, errShort
	}
	le := binary.LittleEndian
	if string(b[:8]) != magic {
		return h, 0, errors.New("not a file of memo")
	}
	if v := le.Uint16(b[8:]); v != version {
		if v > version {
			return h, 0, errNewer
		}
		return h, 0, fmt.Errorf("format %d is unknown", v)
	}
	meta := le.Uint32(b[12:])
	if meta > mostMeta {
		return h, 0, errors.New("the header is damaged")
	}
	if len(b) < headerSize+int(meta) {
		return h, headerSize + int(meta), nil
	}
	if le.Uint64(b[120:]) != headSum(b[:headerSize+int(meta)]) {
		return h, 0, errors.New("the header is damaged")
	}
	h.flags = le.Uint16(b[10:])
	h.Stored, h.Size = int64(le.Uint64(b[16:])), int64(le.Uint64(b[24:]))
	h.Created = time.Unix(0, int64(le.Uint64(b[32:])))
	h.Took = time.Duration(le.Uint64(b[40:]))
	copy(h.Key[:], b[48:])
	copy(h.Code[:], b[68:])
	h.sum = xxh3.Uint128{Lo: le.Uint64(b[88:]), Hi: le.Uint64(b[96:])}
	h.offset = roundUp(int64(headerSize) + int64(meta))
	if h.flags&^flagZstd != 0 || h.Stored < 0 || h.Size < 0 || !h.Packed() && h.Size != h.Stored {
		return h, 0, errors.New("the header makes no sense")
	}
	rest := b[headerSize : headerSize+int(meta)]
	for _, s := range []*string{&h.Function, &h.Args, &h.Level} {
		n, size := binary.Uvarint(rest)
		if size <= 0 || n > uint64(len(rest)-size) {
			return h, 0, errors.New("the meta data make no sense")
		}
		*s = string(rest[size : size+int(n)])
		rest = rest[size+int(n):]
	}
	return h, 0, nil
}
