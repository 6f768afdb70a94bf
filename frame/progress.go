//go:build cgo

package frame

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/duckdb/duckdb-go/v2/mapping"
	"golang.org/x/term"
)

// progress writes how far the query is until it ends.
func (r *run) progress() {
	w := r.eng.cfg.Progress
	f, ok := w.(*os.File)
	terminal := ok && term.IsTerminal(int(f.Fd()))
	every := 10 * time.Second
	if terminal {
		every = 200 * time.Millisecond
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	begin, drawn := time.Now(), false
	for {
		select {
		case <-r.ctx.Done():
			if drawn {
				_, _ = io.WriteString(w, "\r\x1b[K")
			}
			return
		case <-tick.C:
		}
		r.eng.mu.Lock()
		var p mapping.QueryProgressType
		gone := r.conn.Ptr == nil
		if !gone {
			p = mapping.QueryProgress(r.conn)
		}
		r.eng.mu.Unlock()
		if gone {
			continue
		}
		percent, rows, total := mapping.QueryProgressTypeMembers(&p)
		line := progressText(percent, rows, total, time.Since(begin))
		if terminal {
			line = "\r" + line + "\x1b[K"
			drawn = true
		} else {
			line += "\n"
		}
		_, _ = io.WriteString(w, line)
	}
}

func progressText(percent float64, rows, total uint64, took time.Duration) string {
	took = took.Round(time.Second / 10)
	switch {
	case percent < 0:
		return fmt.Sprintf("frame: running for %v", took)
	case total > 0:
		return fmt.Sprintf("frame: %3.0f %%, about %d of %d rows read, %v", percent, min(rows, total), total, took)
	}
	return fmt.Sprintf("frame: %3.0f %%, %v", percent, took)
}
