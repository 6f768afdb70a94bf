// Package breaking is a TCP proxy for tests that stands for a bad network: it
// cuts connections, swallows what is sent as a pulled cable does, and is slow.
package breaking

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// Proxy forwards connections to one address. Its methods may be called
// concurrently.
type Proxy struct {
	target   string
	listener net.Listener
	wg       sync.WaitGroup

	mu     sync.Mutex
	state  state
	delay  time.Duration
	change chan struct{} // closed at each change of state
	conns  map[net.Conn]struct{}
	closed bool
}

type state int

const (
	forwarding state = iota
	refusing         // new connections are closed at once
	silent           // bytes stay where they are, both ways
)

// Listen starts a proxy on a free port of the loopback interface for the
// server at target, HOST:PORT, which need not be there yet. Close it.
func Listen(target string) (*Proxy, error) {
	if _, _, err := net.SplitHostPort(target); err != nil {
		return nil, fmt.Errorf("breaking: target: %w", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("breaking: %w", err)
	}
	p := &Proxy{target: target, listener: l, change: make(chan struct{}), conns: map[net.Conn]struct{}{}}
	p.wg.Go(p.accept)
	return p, nil
}

// Address is the proxy's own, HOST:PORT.
func (p *Proxy) Address() string { return p.listener.Addr().String() }

// Cut closes all connections, and new ones at once, until Resume: a server
// that died, or a firewall that says no.
func (p *Proxy) Cut() {
	p.set(refusing)
	p.drop()
}

// Silence holds all bytes back, both ways, until Resume: a cable that was
// pulled. Connections stay open, and nobody is told.
func (p *Proxy) Silence() { p.set(silent) }

// Resume forwards again. What Silence held back goes on.
func (p *Proxy) Resume() { p.set(forwarding) }

// Slow delays each piece of data by d, in both directions; 0 is not at all.
func (p *Proxy) Slow(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// Close closes all connections and returns when the proxy's goroutines have
// ended. It may be called twice.
func (p *Proxy) Close() error {
	p.mu.Lock()
	first := !p.closed
	p.closed = true
	if first {
		close(p.change)
	}
	p.mu.Unlock()
	var err error
	if first {
		err = p.listener.Close()
	}
	p.drop()
	p.wg.Wait()
	return err
}

func (p *Proxy) set(s state) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.state == s {
		return
	}
	p.state = s
	close(p.change)
	p.change = make(chan struct{})
}

func (p *Proxy) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
}

// keep notes a connection, so that Cut and Close find it. It says no when
// there is nothing to keep it for.
func (p *Proxy) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.state == refusing {
		_ = c.Close()
		return false
	}
	p.conns[c] = struct{}{}
	return true
}

func (p *Proxy) forget(c net.Conn) {
	_ = c.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

// pass returns when bytes may go on, and false when the proxy has closed.
func (p *Proxy) pass() bool {
	for {
		p.mu.Lock()
		s, closed, change, delay := p.state, p.closed, p.change, p.delay
		p.mu.Unlock()
		switch {
		case closed:
			return false
		case s != silent:
			if delay > 0 {
				time.Sleep(delay)
			}
			return true
		}
		<-change
	}
}

func (p *Proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil || !p.keep(c) {
			continue
		}
		p.wg.Go(func() {
			defer p.forget(c)
			if !p.pass() {
				return
			}
			s, err := net.DialTimeout("tcp", p.target, 10*time.Second)
			if err != nil || !p.keep(s) {
				return
			}
			defer p.forget(s)
			var both sync.WaitGroup
			both.Go(func() { p.copy(s, c) })
			both.Go(func() { p.copy(c, s) })
			both.Wait()
		})
	}
}

// copy moves bytes one way until an end, which it passes on.
func (p *Proxy) copy(to, from net.Conn) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if !p.pass() {
			return
		}
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				_ = from.Close()
				return
			}
		}
		if err != nil {
			if t, ok := to.(*net.TCPConn); ok {
				_ = t.CloseWrite()
			}
			return
		}
	}
}
