package code

import (
	"slices"
	"strings"

	"github.com/weft-go/weft/memo/internal/key"
)

// Packages that are not at hand, those of the standard library and of
// dependencies, have variables too: the image formats, the SQL drivers, the
// default transport of HTTP. What the program tells them, in init functions and
// by assignments, counts for all that may ask them.

// inert are packages of the standard library that no call makes behave
// otherwise later, as far as results go.
var inert = func() map[string]bool {
	m := map[string]bool{}
	for p := range strings.FieldsSeq(`archive/tar bufio bytes cmp compress/bzip2 compress/flate compress/gzip
		compress/lzw compress/zlib container/heap container/list container/ring context embed encoding
		encoding/ascii85 encoding/asn1 encoding/base32 encoding/base64 encoding/binary encoding/csv encoding/hex
		encoding/json encoding/pem encoding/xml errors expvar fmt go/ast go/constant go/format go/parser go/printer
		go/scanner go/token go/types hash hash/adler32 hash/crc32 hash/crc64 hash/fnv hash/maphash html
		index/suffixarray io io/fs io/ioutil iter log log/slog maps math math/big math/bits math/cmplx math/rand
		math/rand/v2 os os/exec os/signal path path/filepath reflect regexp regexp/syntax runtime runtime/debug
		runtime/metrics runtime/pprof runtime/trace slices sort strconv strings sync sync/atomic syscall testing
		text/scanner text/tabwriter text/template text/template/parse time unicode unicode/utf16 unicode/utf8
		unique unsafe weak`) {
		m[p] = true
	}
	return m
}()

// foreign tells whether a mention leads to a package that is not at hand.
func (p *Program) foreign(r ref) bool {
	return r.pkg != "" && r.pkg != "C" && r.pkg != memoPackage && r.pkg != unknownImport && p.packs[r.pkg] == nil
}

// told tells whether what is reached may notice a call of pkg, or an
// assignment to one of its variables.
func (w *walk) told(pkg string, write bool) bool {
	switch {
	case write && w.foreign[pkg]:
		return true
	case inert[pkg] && w.p.standard(pkg):
		return false
	case w.foreign[pkg]:
		return true
	case pkg == "flag":
		return false // nobody else asks it
	}
	return w.asks
}

// tell adds what tells packages that are not at hand something.
func (w *walk) tell() {
	for _, n := range w.p.tellers {
		if w.deep.has(n) {
			continue
		}
		for _, r := range n.refs {
			if !w.p.foreign(r) || r.share || !r.write && (r.value || n.kind != initNode) || !w.told(r.pkg, r.write) {
				continue
			}
			if n.kind == initNode {
				w.add(n)
				break
			}
			w.setter(n)
		}
	}
}

// effects are the packages that are imported for what their init functions
// tell others.
func (p *Program) effects() Part {
	var names []string
	for _, k := range p.packs {
		for _, f := range k.files {
			for _, im := range f.imports {
				if p.foreign(ref{pkg: im.path}) && (im.name == "_" || strings.HasPrefix(im.path, "image/")) && !slices.Contains(names, im.path) {
					names = append(names, im.path)
				}
			}
		}
	}
	slices.Sort(names)
	return Part{"dependency", "imports for their effects", key.Of([]byte(strings.Join(names, " "))).String()}
}

// standard tells whether a package is of the standard library: its path has no
// dot, and no module of the program has it.
func (p *Program) standard(pkg string) bool {
	return standardPath(pkg) && p.owner(pkg) == nil && p.dep(pkg) == nil
}
