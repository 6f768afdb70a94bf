package shm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
)

type hook struct{ f func(ID) }

type resolver struct{ f func(Ref) (*os.File, error) }

// File returns a descriptor of the segment for sending it to another process
// (SCM_RIGHTS over a unix socket), which passes it to [Ref.Accept]. The caller
// closes it after sending. It has no more rights than r's mode: one to read
// can't be mapped or written for writing.
//
// It is an error if the segment was closed, and of another run if neither this
// process nor the one it asks (see [SetResolver]) knows it.
// NOTE: Experimental.
func (r Ref) File() (*os.File, error) {
	s, err := r.segment()
	if err != nil {
		return nil, err
	}
	f, err := s.file(r.mode)
	if rerr := s.release(); err == nil && rerr != nil {
		f.Close()
		return nil, rerr
	}
	return f, err
}

// Accept takes a descriptor that came from another process. It makes sure that
// it is of r's segment, with r's length and rights, and keeps it until
// [Forget]; handles of r can then be opened here. Accept owns f, and closes it
// if it fails or is not needed. NOTE: Experimental.
func (r Ref) Accept(f *os.File) error {
	if f == nil {
		return fmt.Errorf("shm: accept %v: there is no descriptor", r)
	}
	if err := r.verify(f); err != nil {
		f.Close()
		return fmt.Errorf("shm: accept %v: %w", r, err)
	}
	table.Lock()
	defer table.Unlock()
	s := table.segments[r.id]
	if s == nil {
		s = &segment{ref: r, imported: true, refs: 1} // the table's reference
		if r.kind == ofFile {
			s.path = f.Name()
		}
		table.segments[r.id] = s
	} else if !s.ref.same(r) {
		f.Close()
		return fmt.Errorf("shm: accept %v: it is known here as %v: %w", r, s.ref, ErrMismatch)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case r.mode.writes() && s.rw == nil:
		s.rw = f
	case !r.mode.writes() && s.rw == nil && s.ro == nil:
		s.ro = f
	default:
		return f.Close()
	}
	return nil
}

// verify tells whether f is what r promises.
func (r Ref) verify(f *os.File) error {
	if r.kind == 0 {
		return errors.New("the zero handle stands for nothing")
	}
	st, err := statusOf(f)
	if err != nil {
		return err
	}
	if want := r.offset + int64(r.bytes()); st.size < want {
		return fmt.Errorf("the descriptor has %d bytes and %d are needed: %w", st.size, want, ErrMismatch)
	}
	if st.writable != r.mode.writes() {
		return fmt.Errorf("the handle is %v, and the descriptor is not: %w", r.mode, ErrMismatch)
	}
	if r.kind == ofFile {
		if st.dev != r.dev || st.ino != r.ino {
			return fmt.Errorf("the descriptor is of another file: %w", ErrMismatch)
		}
		return nil
	}
	if st.unsealed {
		return fmt.Errorf("the memory could shrink while it is used (it has no F_SEAL_SHRINK): %w", ErrMismatch)
	}
	var b [48]byte
	if _, err := f.ReadAt(b[:], 0); err != nil {
		return err
	}
	num := func(i int) uint64 { return binary.NativeEndian.Uint64(b[i:]) }
	if num(0) != headerMagic || ID(b[8:24]) != r.id {
		return fmt.Errorf("the descriptor is of another segment: %w", ErrMismatch)
	}
	if num(24) != r.fingerprint || num(32) != uint64(r.elem) || num(40) != uint64(r.length) {
		return fmt.Errorf("the segment has %d elements of %d bytes, of another type or number: %w", num(40), num(32), ErrMismatch)
	}
	return nil
}

// segment returns r's segment with one more reference and at least the rights
// of r's mode.
func (r Ref) segment() (*segment, error) {
	if r.kind == 0 {
		return nil, fmt.Errorf("shm: the zero handle stands for nothing; take one from Slice.Handle")
	}
	if s, err := r.known(); s != nil || err != nil {
		return s, err
	}
	table.Lock()
	res := table.resolve
	table.Unlock()
	if res == nil || r.id.ours() {
		if r.id.ours() {
			return nil, fmt.Errorf("shm: %v: %w: it was closed in the process that made it, this one; close it after its last use", r, ErrClosed)
		}
		return nil, fmt.Errorf("shm: %v: %w: it is of another run, or of a process that did not pass it on", r, ErrUnknown)
	}
	table.resolving.Lock()
	defer table.resolving.Unlock()
	if s, err := r.known(); s != nil || err != nil {
		return s, err
	}
	f, err := res.f(r)
	if err != nil {
		return nil, fmt.Errorf("shm: fetch %v: %w", r, err)
	}
	if err := r.Accept(f); err != nil {
		return nil, err
	}
	if s, err := r.known(); s != nil || err != nil {
		return s, err
	}
	return nil, fmt.Errorf("shm: %v: %w: it was closed while it was fetched", r, ErrClosed)
}

// known is segment for what this process has already; nil if it has not.
func (r Ref) known() (*segment, error) {
	s := acquire(r.id)
	if s == nil {
		return nil, nil
	}
	s.mu.Lock()
	same, enough := s.ref.same(r), s.rw != nil || !r.mode.writes()
	s.mu.Unlock()
	switch {
	case !same:
		s.release()
		return nil, fmt.Errorf("shm: %v is in truth %v: %w", r, s.ref, ErrMismatch)
	case !enough && s.imported:
		s.release()
		return nil, nil // ask again, for writing
	case !enough:
		s.release()
		return nil, fmt.Errorf("shm: %v: %w", r, ErrReadOnly)
	}
	return s, nil
}

// SetResolver says how this process gets a segment that it does not have: f
// asks the process above, which answers with [Ref.File]. It is called by
// [Handle.Open] and [Ref.File], one call at a time. The function that is
// returned sets the one before again. NOTE: Experimental.
func SetResolver(f func(Ref) (*os.File, error)) (restore func()) {
	table.Lock()
	defer table.Unlock()
	old := table.resolve
	table.resolve = &resolver{f}
	return func() {
		table.Lock()
		defer table.Unlock()
		table.resolve = old
	}
}

// OnClose has f called when a segment that other processes may have is closed
// or forgotten here, so that they can be told to [Forget] it. f must not block
// long. The function that is returned ends that. NOTE: Experimental.
func OnClose(f func(ID)) (stop func()) {
	h := &hook{f}
	table.Lock()
	defer table.Unlock()
	table.hooks[h] = true
	return func() {
		table.Lock()
		defer table.Unlock()
		delete(table.hooks, h)
	}
}

// closeHooks is called with table locked.
func closeHooks() (fs []func(ID)) {
	for h := range table.hooks {
		fs = append(fs, h.f)
	}
	return fs
}

// Forget drops a segment that came from another process. Slices of it that are
// open stay valid, and its memory goes with the last of them. For an unknown
// segment it does nothing. NOTE: Experimental.
func Forget(id ID) error {
	table.Lock()
	s := table.segments[id]
	if s == nil || !s.imported {
		table.Unlock()
		return nil
	}
	delete(table.segments, id)
	hooks := closeHooks()
	table.Unlock()
	err := s.release()
	for _, f := range hooks {
		f(id)
	}
	return err
}
