package graph

import (
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"runtime"

	mem "github.com/weft-go/weft/internal/memory"
	"github.com/weft-go/weft/internal/sched"
	"github.com/weft-go/weft/internal/wire"
)

// largeConst is the size in bytes from which a constant that goes to processes
// is worth a word, and a look whether it is there twice.
const largeConst = 1 << 20

// noteLarge remembers where a large constant was made. Called with g.mu held,
// by Const.
func (g *Graph) noteLarge(column, slot uint32, size int64) {
	if size < largeConst {
		return
	}
	where := ""
	for skip := 2; skip < 8; skip++ {
		pc, file, line, ok := runtime.Caller(skip)
		if !ok {
			break
		}
		if f := runtime.FuncForPC(pc); f != nil && !inPackage(f.Name()) {
			where = fmt.Sprintf("%s:%d", filepath.Base(file), line)
			break
		}
	}
	if g.large == nil {
		g.large = map[place]largeConstant{}
	}
	g.large[place{column, slot}] = largeConstant{size, where}
}

// place is that of a constant.
type place struct{ column, slot uint32 }

type largeConstant struct {
	size  int64
	where string
}

// share has large constants with the same contents be one, so that they travel
// once, and tells about them. Large ones are few, so this costs as much as
// reading them.
func (r *run) share() {
	r.g.mu.Lock()
	large := make(map[place]largeConstant, len(r.g.large))
	for p, c := range r.g.large {
		large[p] = c
	}
	r.g.mu.Unlock()
	if len(large) == 0 {
		return
	}
	uses := map[place]int{}
	same := map[place]place{} // to the first with these contents
	byHash := map[[sha256.Size]byte]place{}
	var seen []place
	for t := range uint32(len(r.task)) {
		n := &r.nodes[r.nodeOf[t]]
		for i := r.InOff[t]; i < r.InOff[t+1]; i++ {
			d := r.In[i]
			if d&sched.Const == 0 {
				continue
			}
			p := place{n.do.input(int(i - r.InOff[t])), d &^ sched.Const}
			if _, ok := large[p]; !ok {
				continue
			}
			one, ok := same[p]
			if !ok {
				one = p
				e := wire.Encoder{}
				if e.Append(r.columns[p.column].constant(p.slot)) == nil {
					h := sha256.New()
					fmt.Fprintf(h, "%d\n", p.column)
					h.Write(e.Buf)
					sum := [sha256.Size]byte(h.Sum(nil))
					if first, ok := byHash[sum]; ok {
						one = first
					}
					byHash[sum] = one
				}
				same[p] = one
				if one == p {
					seen = append(seen, p)
				}
			}
			r.In[i] = sched.Const | one.slot
			uses[one]++
		}
	}
	for _, p := range seen {
		c := large[p]
		r.notes = append(r.notes, fmt.Sprintf(
			"a constant of %s (%v), made at %s, goes to %d tasks in other processes: it is stored once, and each process reads it; if it comes from a file, pass the file's name and read it there",
			mem.Text(c.size), r.columns[p.column].typ(), c.where, uses[p]))
	}
}
