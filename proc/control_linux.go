package proc

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/weft-go/weft/shm"
)

// Control messages. Each is one byte of kind, eight of a number, and what is
// said below.
const (
	controlCancel  = 'c' // to the worker: batch n
	controlPing    = 'p' // to the worker; it answers the same
	controlSegment = 's' // both ways: a descriptor comes with it, known as n
	controlForget  = 'f' // to the worker: it needs segment or value n no more
	controlHandle  = 'h' // both ways: a descriptor comes with it, of the shm.Ref that follows
	controlClosed  = 'x' // to the worker: the segment of shm whose ID follows is closed
)

// listen obeys control messages. When the parent is gone, so is this process,
// and what it has started in its process group.
func (s *server) listen() {
	buf := make([]byte, mostControl)
	oob := make([]byte, unix.CmsgSpace(4*4))
	for {
		n, fds, err := receive(s.control.fd, buf, oob)
		if err != nil {
			if pgid, err := unix.Getpgid(0); err == nil && pgid == os.Getpid() {
				_ = unix.Kill(-pgid, unix.SIGKILL)
			}
			os.Exit(0)
		}
		if n < 9 {
			continue
		}
		id := binary.LittleEndian.Uint64(buf[1:])
		switch buf[0] {
		case controlPing:
			_ = send(s.control.fd, controlPing, id, nil, -1)
		case controlCancel:
			s.mu.Lock()
			if s.current == id && s.cancel != nil {
				s.cancel(errCancelled)
			} else if id > s.current {
				s.cancelled[id] = true
			}
			s.mu.Unlock()
		case controlSegment:
			if len(fds) == 1 {
				s.segments.arrived(id, fds[0])
				s.segments.count()
				fds = nil
			}
		case controlHandle:
			if len(fds) == 1 {
				accept(buf[9:n], fds[0])
				s.segments.count()
				fds = nil
			}
		case controlClosed:
			var id shm.ID
			if copy(id[:], buf[9:n]) == len(id) {
				_ = shm.Forget(id)
			}
			s.segments.count()
		case controlForget:
			s.segments.forget(id)
		}
		for _, fd := range fds {
			_ = unix.Close(fd)
		}
	}
}

var errCancelled = errors.New("the run was stopped")

// mostControl is the size of the largest control message.
const mostControl = 512

// accept takes the descriptor of a segment of package shm. If it does not fit,
// opening the handle says so.
func accept(ref []byte, fd int) {
	var r shm.Ref
	f := os.NewFile(uintptr(fd), "shm")
	if err := r.UnmarshalBinary(ref); err != nil {
		_ = f.Close()
		return
	}
	_ = r.Accept(f)
}

// send sends a control message, with a descriptor if fd is not -1.
func send(to int, k byte, id uint64, more []byte, fd int) error {
	b := make([]byte, 9, 9+len(more))
	b[0] = k
	binary.LittleEndian.PutUint64(b[1:], id)
	b = append(b, more...)
	var oob []byte
	if fd >= 0 {
		oob = unix.UnixRights(fd)
	}
	for {
		_, err := unix.SendmsgN(to, b, oob, nil, unix.MSG_NOSIGNAL)
		if err != syscall.EINTR { //nolint:errorlint // system calls return it as it is
			return err
		}
	}
}

// receive reads a control message and the descriptors with it.
func receive(from int, buf, oob []byte) (n int, fds []int, err error) {
	for {
		n, oobn, _, _, err := unix.Recvmsg(from, buf, oob, unix.MSG_CMSG_CLOEXEC)
		if err == syscall.EINTR { //nolint:errorlint // system calls return it as it is
			continue
		}
		if err == nil && n == 0 {
			err = io.EOF
		}
		if err != nil {
			return 0, nil, err
		}
		if oobn > 0 {
			msgs, err := unix.ParseSocketControlMessage(oob[:oobn])
			for i := 0; err == nil && i < len(msgs); i++ {
				got, rightsErr := unix.ParseUnixRights(&msgs[i])
				if rightsErr == nil {
					fds = append(fds, got...)
				}
			}
		}
		return n, fds, nil
	}
}
