package shm

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func init() {
	// scribble HANDLE: tries to write memory that it got to read, in every way
	// that a descriptor offers, and tells what came of it. At last it just
	// writes.
	children["scribble"] = func(args []string, in *bufio.Reader) error {
		fd, err := unix.FcntlInt(3, unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return err
		}
		s, err := take[int64](args[0], 3)
		if err != nil {
			return err
		}
		tell := func(what string, err error) { fmt.Println(what, err == nil, err) }
		_, err = unix.Mmap(fd, 0, headerSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		tell("mmap", err)
		tell("mprotect", unix.Mprotect(s.mem.all, unix.PROT_READ|unix.PROT_WRITE))
		_, err = unix.Pwrite(fd, []byte{1}, headerSize)
		tell("pwrite", err)
		tell("truncate", unix.Ftruncate(fd, 0))
		tell("punch", unix.Fallocate(fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, headerSize))
		tell("guard", s.Guard(func(data []int64) error { data[0] = 1; return nil }))
		// To cheat, one opens it again.
		again, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", fd), os.O_RDWR, 0)
		if err == nil {
			_, err = unix.Mmap(int(again.Fd()), 0, headerSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		}
		tell("cheat", err)
		fmt.Println("end")
		in.ReadString('\n')
		s.Slice()[0] = 1
		fmt.Println("still here")
		return nil
	}
}

// Who got memory to read can't write it; trying ends that process only.
func TestReadOnlyIsEnforced(t *testing.T) {
	t.Parallel()
	for _, freeze := range []bool{false, true} {
		t.Run(fmt.Sprintf("freeze=%v", freeze), func(t *testing.T) {
			t.Parallel()
			s := make1[int64](t, 100)
			s.Slice()[0] = 77
			if freeze {
				if err := s.Freeze(); err != nil {
					t.Fatal(err)
				}
			}
			h, f := pass(t, s, ReadOnly)
			c := start(t, "scribble", []*os.File{f}, h)
			var did []string
			for {
				words := strings.Fields(c.line())
				if words[0] == "end" {
					break
				}
				if words[1] == "true" {
					did = append(did, words[0])
				}
			}
			// A process of the same user may open the memory anew, which only
			// Freeze keeps it from.
			want := []string{"cheat"}
			if freeze {
				want = nil
			}
			if !slices.Equal(did, want) {
				t.Errorf("it could %v, want %v", did, want)
			}
			c.send("write")
			if err := c.wait(); err == nil || !strings.Contains(c.stderr.String(), "SIGSEGV") {
				t.Errorf("it wrote, and ended with %v: %s", err, c.stderr.String())
			}
			if s.Slice()[0] != 77 {
				t.Error("it was written")
			}
		})
	}
}

func TestFreeze(t *testing.T) {
	t.Parallel()
	s := make1[int64](t, 4)
	before := s.Handle(ReadWrite)
	if err := s.Freeze(); err != nil {
		t.Fatal(err)
	}
	if err := s.Freeze(); err != nil {
		t.Errorf("freezing twice: %v", err)
	}
	s.Slice()[0] = 1 // this mapping was there before
	_, err := before.Open()
	wantError(t, err, ErrReadOnly, "frozen")
	_, err = before.Ref().File()
	wantError(t, err, ErrReadOnly, "frozen")
	for _, mode := range []Mode{ReadOnly, CopyOnWrite} {
		o, err := s.Handle(mode).Open()
		if open(t, o, err); o.Slice()[0] != 1 {
			t.Error(mode)
		}
	}
	file, err := MapFile[byte](t.TempDir()+"/f", Create, Length(1))
	wantError(t, open(t, file, err).Freeze(), ErrUnsupported)
}

func init() {
	// maker: makes memory, sends its descriptor over the socket that it got,
	// as package proc does, and waits to be killed.
	children["maker"] = func(args []string, in *bufio.Reader) error {
		s, err := Make[int64](1000)
		if err != nil {
			return err
		}
		for i := range s.Slice() {
			s.Slice()[i] = int64(i)
		}
		h := s.Handle(ReadWrite)
		message, err := h.MarshalBinary()
		if err != nil {
			return err
		}
		f, err := h.Ref().File()
		if err != nil {
			return err
		}
		conn, err := net.FileConn(os.NewFile(3, "socket"))
		if err != nil {
			return err
		}
		_, _, err = conn.(*net.UnixConn).WriteMsgUnix(message, unix.UnixRights(int(f.Fd())), nil)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
		in.ReadString('\n')
		return nil
	}
}

// Memory outlives its maker as long as somebody has it: no process and no
// tracker takes it away.
func TestMakerIsKilled(t *testing.T) {
	t.Parallel()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	mine := os.NewFile(uintptr(pair[0]), "socket")
	conn, err := net.FileConn(mine)
	if err != nil {
		t.Fatal(err)
	}
	mine.Close()
	defer conn.Close()
	c := start(t, "maker", []*os.File{os.NewFile(uintptr(pair[1]), "socket")})

	message, control := make([]byte, 1024), make([]byte, 1024)
	n, k, _, _, err := conn.(*net.UnixConn).ReadMsgUnix(message, control)
	if err != nil {
		t.Fatal(err)
	}
	parts, err := unix.ParseSocketControlMessage(control[:k])
	if err != nil || len(parts) != 1 {
		t.Fatal(parts, err)
	}
	fds, err := unix.ParseUnixRights(&parts[0])
	if err != nil || len(fds) != 1 {
		t.Fatal(fds, err)
	}
	unix.CloseOnExec(fds[0])
	var h Handle[int64]
	if err := h.UnmarshalBinary(message[:n]); err != nil {
		t.Fatal(err)
	}
	if err := h.Ref().Accept(os.NewFile(uintptr(fds[0]), "received")); err != nil {
		t.Fatal(err)
	}
	defer Forget(h.Ref().ID())
	s, err := h.Open()
	open(t, s, err)
	c.kill()
	c.wait()
	for i, v := range s.Slice() {
		if v != int64(i) {
			t.Fatalf("element %d is %d", i, v)
		}
	}
	again, err := h.Open()
	if open(t, again, err); again.Slice()[5] != 5 {
		t.Error("opened again, it is other memory")
	}
	s.Slice()[0] = 1
}

// The name of memory is nowhere: what the kernel shows is marked as deleted.
func TestMemoryHasNoName(t *testing.T) {
	t.Parallel()
	s := make1[byte](t, 1)
	name, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", s.seg.rw.Fd()))
	if err != nil || !strings.HasSuffix(name, "(deleted)") {
		t.Errorf("%s %v", name, err)
	}
	if flags, err := unix.FcntlInt(s.seg.rw.Fd(), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Error("it would be inherited")
	}
	if err := unix.Ftruncate(int(s.seg.rw.Fd()), 1); err == nil {
		t.Error("it could be made shorter")
	}
}
