package proc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/weft-go/weft/internal/wire"
)

// protocol is the version of what the two sides say to each other.
const protocol = 2

// A frame is its length and kind, four bytes each, and a payload.
const (
	frameHead = 8
	// mostFrame is the longest payload, in bytes.
	mostFrame = 1<<31 - 1
)

type kind byte

const (
	kindHello   kind = 1 + iota // both ways: who is there
	kindBatch                   // to the worker: items to run
	kindResults                 // from it: what came of some of them
	kindBlob                    // to the worker: a value that items to come share
	mostKind    = kindBlob
)

// magic begins each frame's kind, so that what somebody else writes is seen.
const magic = 0x77_65_66_00 // "wef"

var errFrame = errors.New("proc: not a frame of this protocol")

// beginFrame makes room for the head, endFrame fills it in.
func beginFrame(b []byte) []byte { return append(b, 0, 0, 0, 0, 0, 0, 0, 0) }

func endFrame(b []byte, k kind) error {
	n := len(b) - frameHead
	if n > mostFrame {
		return fmt.Errorf("a message of %d bytes; at most %d travel at once: make the items smaller, or put the data into shared memory (package shm)", n, mostFrame)
	}
	binary.LittleEndian.PutUint32(b, uint32(n))
	binary.LittleEndian.PutUint32(b[4:], magic|uint32(k))
	return nil
}

// frames reads frames from a stream. The payload is valid until the next call.
type frames struct {
	r   io.Reader
	buf []byte
	at  int // start of what is read and not yet used
}

// keepBuffer is how large the buffer of a quiet connection may stay.
const keepBuffer = 1 << 20

func (f *frames) next() (kind, []byte, error) {
	if err := f.fill(frameHead); err != nil {
		return 0, nil, err
	}
	head := f.buf[f.at:]
	n, k := int(binary.LittleEndian.Uint32(head)), binary.LittleEndian.Uint32(head[4:])
	if k&^0xff != magic || kind(k) == 0 || kind(k) > mostKind || n > mostFrame {
		return 0, nil, errFrame
	}
	f.at += frameHead
	if err := f.fill(n); err != nil {
		if err == io.EOF { //nolint:errorlint // readers return it as it is
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, err
	}
	p := f.buf[f.at : f.at+n]
	f.at += n
	return kind(k), p, nil
}

// ready tells whether the next frame has been read already.
func (f *frames) ready() bool {
	b := f.buf[f.at:]
	return len(b) >= frameHead && uint64(len(b)-frameHead) >= uint64(binary.LittleEndian.Uint32(b))
}

// fill reads until n bytes are there. The buffer grows as they come, whatever
// was promised.
func (f *frames) fill(n int) error {
	if f.at == len(f.buf) {
		if cap(f.buf) > keepBuffer && n < keepBuffer/4 {
			f.buf = nil
		}
		f.buf, f.at = f.buf[:0], 0
	}
	for len(f.buf)-f.at < n {
		if f.at > 0 {
			f.buf = f.buf[:copy(f.buf, f.buf[f.at:])]
			f.at = 0
		}
		if len(f.buf) == cap(f.buf) {
			grown := make([]byte, len(f.buf), max(64<<10, min(2*cap(f.buf), max(n, 1<<20))))
			copy(grown, f.buf)
			f.buf = grown
		}
		got, err := f.r.Read(f.buf[len(f.buf):cap(f.buf)])
		f.buf = f.buf[:len(f.buf)+got]
		if err != nil {
			if err == io.EOF && len(f.buf) > 0 { //nolint:errorlint // readers return it as it is
				err = io.ErrUnexpectedEOF
			}
			return err
		}
		if got == 0 {
			return io.ErrNoProgress
		}
	}
	return nil
}

// hello is the first frame of either side.
type hello struct {
	Protocol int
	Build    string // fingerprint of the executable
	Error    string // why it can't be
	Ready    bool   // the worker is; else it has only begun to be

	// To the worker.
	Name        string
	CPUs        int
	MemoryLimit int64
	Nice        int
	Setup       string
	ShareFrom   int
}

// batchHead says how to run the items that follow it.
type batchHead struct {
	seq       uint64
	controls  uint64 // control messages that bring what it needs, sent before
	fn        string
	first     int
	keepGoing bool
	timeout   time.Duration
	most      time.Duration
}

// append leaves room for seq and controls, which are known when it is sent.
func (h *batchHead) append(e *wire.Encoder) {
	e.Buf = append(e.Buf, make([]byte, 16)...)
	e.String(h.fn)
	e.Uint(uint64(h.first))
	e.Uint(uint64(flag(h.keepGoing)))
	e.Uint(uint64(h.timeout))
	e.Uint(uint64(h.most))
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (h *batchHead) read(d *wire.Decoder) error {
	var u [4]uint64
	if len(d.Buf) < 16 {
		return errFrame
	}
	h.seq, h.controls = binary.LittleEndian.Uint64(d.Buf), binary.LittleEndian.Uint64(d.Buf[8:])
	d.Buf = d.Buf[16:]
	fn, err := d.Bytes()
	if err == nil {
		err = readUints(d, &u[0], &u[1], &u[2], &u[3])
	}
	h.fn, h.first, h.keepGoing, h.timeout, h.most = string(fn), int(u[0]), u[1] == 1, time.Duration(u[2]), time.Duration(u[3])
	return err
}

func readUints(d *wire.Decoder, to ...*uint64) (err error) {
	for _, u := range to {
		if *u, err = d.Uint(); err != nil {
			return err
		}
	}
	return nil
}

// resultHead says what became of some items of a batch: those from first on,
// count of them. The last message of a batch is final.
type resultHead struct {
	seq          uint64
	controls     uint64 // as in batchHead
	first, count int
	final        bool
	wall, cpu    time.Duration
	encoding     time.Duration
	refused      string // nothing ran, and why
	failures     int    // how many failures follow
}

func (h *resultHead) append(e *wire.Encoder) {
	e.Uint(h.seq)
	e.Uint(h.controls)
	e.Uint(uint64(h.first))
	e.Uint(uint64(h.count))
	e.Uint(uint64(flag(h.final)))
	e.Uint(uint64(max(0, h.wall)))
	e.Uint(uint64(max(0, h.cpu)))
	e.Uint(uint64(max(0, h.encoding)))
	e.String(h.refused)
	e.Uint(uint64(h.failures))
}

func (h *resultHead) read(d *wire.Decoder) error {
	var u [7]uint64
	if err := readUints(d, &h.seq, &h.controls, &u[0], &u[1], &u[2], &u[3], &u[4], &u[5]); err != nil {
		return err
	}
	refused, err := d.Bytes()
	if err != nil {
		return err
	}
	h.first, h.count, h.final = int(u[0]), int(u[1]), u[2] == 1
	h.wall, h.cpu, h.encoding = time.Duration(u[3]), time.Duration(u[4]), time.Duration(u[5])
	h.refused = string(refused)
	err = readUints(d, &u[6])
	h.failures = int(u[6])
	if err == nil && (h.first < 0 || h.count < 0 || h.failures < 0 || h.failures > h.count) {
		err = errFrame
	}
	return err
}
