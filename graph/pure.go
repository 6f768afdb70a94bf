package graph

import (
	"encoding/binary"
	"runtime"
	"strings"
)

// pure finds the task that is the same as one to be made, if both are pure. key
// is under what to note it if there is none; "" if it may not be shared. Called
// with g.mu held.
func (g *Graph) pure(do op, column uint32, o *nodeOptions, in []uint32) (key string, known uint32, ok bool) {
	if o == nil || !o.pure || g.err != nil {
		return "", 0, false
	}
	pc := pcOf(do.fn())
	if !topLevel(pc) {
		return "", 0, false
	}
	b := binary.LittleEndian.AppendUint64(nil, uint64(pc))
	b = binary.LittleEndian.AppendUint32(b, column)
	for _, d := range in {
		b = binary.LittleEndian.AppendUint32(b, d)
	}
	b = append(b, o.name...)
	known, ok = g.dedup[string(b)]
	if g.dedup == nil {
		g.dedup = map[string]uint32{}
	}
	return string(b), known, ok
}

// topLevel tells whether a function is declared at the top level of a package:
// what a literal captures, a method is called on, or a generic function is made
// for is not in its name.
func topLevel(pc uintptr) bool {
	f := runtime.FuncForPC(pc)
	if f == nil {
		return false
	}
	name := f.Name()
	_, symbol, ok := strings.Cut(name[strings.LastIndexByte(name, '/')+1:], ".")
	return ok && !strings.ContainsAny(symbol, ".[(") && !strings.HasSuffix(name, "-fm")
}
