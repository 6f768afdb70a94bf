// Package shape says how the values of a type are looked at: by their parts,
// by the standard library's own marshaler, or not at all. Keys and stored
// results go by the same rules.
package shape

import (
	"encoding"
	"fmt"
	"math/big"
	"net/url"
	"reflect"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"
)

// Way is how the values of a type are looked at.
type Way int

const (
	Parts  Way = iota // by kind: fields, elements, bits
	Time              // time.Time
	Binary            // MarshalBinary and UnmarshalBinary
	Text              // MarshalText and UnmarshalText
	Refused
	Float // big.Float, whose text has no precision
)

// Field is a field of a struct.
type Field struct {
	Index    int
	Name     string
	Type     reflect.Type
	Exported bool
	Skipped  bool // tagged memo:"-"
}

// Info is what there is to know about a type.
type Info struct {
	Way Way
	// Why says why the type is refused, as an ending for "net.Conn: ...".
	Why    string
	Fields []Field
}

var known sync.Map // reflect.Type -> *Info

// Of returns the rules for t.
func Of(t reflect.Type) *Info {
	if i, ok := known.Load(t); ok {
		return i.(*Info)
	}
	i, _ := known.LoadOrStore(t, look(t))
	return i.(*Info)
}

var (
	timeType        = reflect.TypeFor[time.Time]()
	binaryMarshal   = reflect.TypeFor[encoding.BinaryMarshaler]()
	binaryUnmarshal = reflect.TypeFor[encoding.BinaryUnmarshaler]()
	textMarshal     = reflect.TypeFor[encoding.TextMarshaler]()
	textUnmarshal   = reflect.TypeFor[encoding.TextUnmarshaler]()
)

func look(t reflect.Type) *Info {
	switch t {
	case timeType:
		return &Info{Way: Time}
	case reflect.TypeFor[big.Float]():
		return &Info{Way: Float}
	case reflect.TypeFor[regexp.Regexp]():
		return &Info{Way: Refused, Why: "its text does not tell by which rules it matches; keep the text"}
	}
	switch t.Kind() {
	case reflect.Chan:
		return &Info{Way: Refused, Why: "a channel has no value that lasts"}
	case reflect.Func:
		return &Info{Way: Refused, Why: "a function has no value that can be compared or stored"}
	case reflect.UnsafePointer, reflect.Uintptr:
		return &Info{Way: Refused, Why: "an address means nothing to the next process"}
	case reflect.Struct:
	default:
		return &Info{Way: Parts}
	}
	i := &Info{}
	hidden := false
	for f := range t.Fields() {
		hidden = hidden || !f.IsExported()
		i.Fields = append(i.Fields, Field{f.Index[0], f.Name, f.Type, f.IsExported(), f.Tag.Get("memo") == "-"})
	}
	// The standard library's types with hidden fields are its own affair: a
	// mutex, an open file. Their marshalers tell all that counts. Those of other
	// packages may leave something out, so there the fields themselves count.
	// The text of a URL leaves out how it is escaped, and is read in another way.
	if standard(t.PkgPath()) && t != reflect.TypeFor[url.URL]() && t != reflect.TypeFor[url.Userinfo]() {
		p := reflect.PointerTo(t)
		switch {
		case p.Implements(binaryMarshal) && p.Implements(binaryUnmarshal):
			return &Info{Way: Binary}
		case p.Implements(textMarshal) && p.Implements(textUnmarshal):
			return &Info{Way: Text}
		case !hidden:
			return i
		}
		return &Info{Way: Refused, Why: "a type of the standard library whose fields are hidden"}
	}
	return i
}

// mainModule is the path of the module that the program belongs to.
var mainModule = sync.OnceValue(func() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	return info.Main.Path
})

// standard tells whether a package is of the standard library.
func standard(pkg string) bool {
	first, _, _ := strings.Cut(pkg, "/")
	if strings.Contains(first, ".") || pkg == "main" || pkg == "" || strings.HasPrefix(pkg, "command-line-arguments") {
		return false
	}
	m := mainModule()
	return m == "" || pkg != m && !strings.HasPrefix(pkg, m+"/")
}

// Error is a value that can't be looked at.
type Error struct {
	// Path leads to it: Job.Retry.Clock, Job.Parts[3].
	Path string
	Type reflect.Type
	Why  string
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s (%v): %s", e.Path, e.Type, e.Why)
}

// Root is the name that paths into a value of type t begin with.
func Root(t reflect.Type) string {
	if t.Name() != "" && t.PkgPath() != "" {
		return t.Name()
	}
	return t.String()
}

// Open tells whether values of t may hold values of types that t does not name:
// behind interfaces, in fields that count.
func Open(t reflect.Type) bool { return open(t, map[reflect.Type]bool{}) }

func open(t reflect.Type, seen map[reflect.Type]bool) bool {
	if seen[t] {
		return false
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Interface:
		return true
	case reflect.Struct:
		i := Of(t)
		return i.Way == Parts && slices.ContainsFunc(i.Fields, func(f Field) bool { return !f.Skipped && open(f.Type, seen) })
	case reflect.Map:
		return open(t.Key(), seen) || open(t.Elem(), seen)
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return open(t.Elem(), seen)
	}
	return false
}

var names sync.Map // reflect.Type -> string

// Name tells the type of what an interface holds. Types without a name of their
// own are spelled out: *a/lib.T and *b/lib.T both call themselves *lib.T.
func Name(t reflect.Type) string {
	if t.Name() != "" {
		return t.PkgPath() + " " + t.String()
	}
	if s, ok := names.Load(t); ok {
		return s.(string)
	}
	s := Print(t)
	names.Store(t, s)
	return s
}

// Print describes the structure of t with all types that it is made of, so
// that two types whose stored form differs are told apart.
func Print(t reflect.Type) string {
	var b strings.Builder
	write(&b, t, map[reflect.Type]bool{})
	return b.String()
}

func write(b *strings.Builder, t reflect.Type, seen map[reflect.Type]bool) {
	if t.Name() != "" {
		fmt.Fprintf(b, "%s.%s", t.PkgPath(), t.Name())
		if seen[t] {
			return
		}
		seen[t] = true
		b.WriteByte('=')
	}
	switch t.Kind() {
	case reflect.Struct:
		b.WriteString("struct{")
		if i := Of(t); i.Way == Parts {
			for _, f := range i.Fields {
				fmt.Fprintf(b, "%s ", f.Name)
				if f.Skipped {
					b.WriteString("- ")
				}
				write(b, f.Type, seen)
				b.WriteByte(';')
			}
		}
		b.WriteByte('}')
	case reflect.Pointer:
		b.WriteByte('*')
		write(b, t.Elem(), seen)
	case reflect.Slice:
		b.WriteString("[]")
		write(b, t.Elem(), seen)
	case reflect.Array:
		fmt.Fprintf(b, "[%d]", t.Len())
		write(b, t.Elem(), seen)
	case reflect.Map:
		b.WriteString("map[")
		write(b, t.Key(), seen)
		b.WriteByte(']')
		write(b, t.Elem(), seen)
	default:
		b.WriteString(t.Kind().String())
	}
}
