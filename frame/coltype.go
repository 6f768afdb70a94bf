//go:build cgo

package frame

import (
	"fmt"
	"strings"
	"unsafe"

	"github.com/duckdb/duckdb-go/v2/mapping"
)

// colType is a type of the engine, read once.
type colType struct {
	id       mapping.Type // for a decimal or an enum of how it is stored: see stored
	stored   mapping.Type
	name     Type
	width    uintptr // bytes of an element of a vector, 0 for those without
	digits   int     // of a decimal
	scale    int     // of a decimal
	size     int     // of an array
	dict     []string
	children []colType
	names    []string // of a struct's children
}

var plainTypes = map[mapping.Type]struct {
	name  Type
	width uintptr
}{
	mapping.TypeBoolean: {Bool, 1}, mapping.TypeTinyInt: {Int8, 1}, mapping.TypeSmallInt: {Int16, 2},
	mapping.TypeInteger: {Int32, 4}, mapping.TypeBigInt: {Int64, 8}, mapping.TypeUTinyInt: {Uint8, 1},
	mapping.TypeUSmallInt: {Uint16, 2}, mapping.TypeUInteger: {Uint32, 4}, mapping.TypeUBigInt: {Uint64, 8},
	mapping.TypeHugeInt: {HugeInt, 16}, mapping.TypeUHugeInt: {"UHUGEINT", 16},
	mapping.TypeFloat: {Float32, 4}, mapping.TypeDouble: {Float64, 8},
	mapping.TypeVarchar: {String, 16}, mapping.TypeBlob: {Bytes, 16}, mapping.TypeBit: {"BIT", 16}, mapping.TypeBigNum: {"BIGNUM", 16},
	mapping.TypeDate: {Date, 4}, mapping.TypeTime: {Time, 8}, mapping.TypeTimeTZ: {"TIME WITH TIME ZONE", 8}, mapping.TypeTimeNS: {"TIME_NS", 8},
	mapping.TypeTimestamp: {DateTime, 8}, mapping.TypeTimestampTZ: {Instant, 8},
	mapping.TypeTimestampS: {"TIMESTAMP_S", 8}, mapping.TypeTimestampMS: {"TIMESTAMP_MS", 8}, mapping.TypeTimestampNS: {"TIMESTAMP_NS", 8},
	mapping.TypeInterval: {Duration, 16}, mapping.TypeUUID: {UUID, 16}, mapping.TypeSQLNull: {`"NULL"`, 4},
	mapping.TypeVariant: {"VARIANT", 0}, mapping.TypeGeometry: {"GEOMETRY", 16},
}

// newColType reads a type and destroys it.
func newColType(lt mapping.LogicalType) colType {
	defer mapping.DestroyLogicalType(&lt)
	t := colType{id: mapping.GetTypeId(lt)}
	t.stored = t.id
	if p, ok := plainTypes[t.id]; ok {
		t.name, t.width = p.name, p.width
		if alias := mapping.LogicalTypeGetAlias(lt); alias != "" {
			t.name = Type(alias)
		}
		return t
	}
	child := func(lt mapping.LogicalType) Type {
		c := newColType(lt)
		t.children = append(t.children, c)
		return c.name
	}
	switch t.id {
	case mapping.TypeDecimal:
		t.scale = int(mapping.DecimalScale(lt))
		t.stored = mapping.DecimalInternalType(lt)
		t.digits = int(mapping.DecimalWidth(lt))
		t.name = Type(fmt.Sprintf("DECIMAL(%d,%d)", t.digits, t.scale))
		t.width = plainTypes[t.stored].width
	case mapping.TypeEnum:
		t.stored = mapping.EnumInternalType(lt)
		t.width = plainTypes[t.stored].width
		for i := range mapping.EnumDictionarySize(lt) {
			t.dict = append(t.dict, mapping.EnumDictionaryValue(lt, mapping.IdxT(i)))
		}
		quoted := make([]string, len(t.dict))
		for i, d := range t.dict {
			quoted[i] = "'" + strings.ReplaceAll(d, "'", "''") + "'"
		}
		t.name = Type("ENUM(" + strings.Join(quoted, ", ") + ")")
	case mapping.TypeList:
		t.name = child(mapping.ListTypeChildType(lt)) + "[]"
		t.width = 16
	case mapping.TypeArray:
		t.size = int(mapping.ArrayTypeArraySize(lt))
		t.name = Type(fmt.Sprintf("%s[%d]", child(mapping.ArrayTypeChildType(lt)), t.size))
	case mapping.TypeStruct:
		var parts []string
		for i := range mapping.StructTypeChildCount(lt) {
			name := mapping.StructTypeChildName(lt, i)
			t.names = append(t.names, name)
			q := name
			if !plainName(name) {
				q = `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
			}
			parts = append(parts, q+" "+string(child(mapping.StructTypeChildType(lt, i))))
		}
		t.name = Type("STRUCT(" + strings.Join(parts, ", ") + ")")
	case mapping.TypeMap:
		k := child(mapping.MapTypeKeyType(lt))
		t.name = "MAP(" + k + ", " + child(mapping.MapTypeValueType(lt)) + ")"
		t.width = 16
	default:
		t.name = Type(fmt.Sprintf("type %d", t.id))
	}
	return t
}

// readable tells whether there is a way to Go; others are cast to text.
func (t *colType) readable() bool {
	switch t.id {
	case mapping.TypeBit, mapping.TypeBigNum, mapping.TypeTimeTZ, mapping.TypeVariant, mapping.TypeGeometry, mapping.TypeSQLNull, mapping.TypeUnion, mapping.TypeInvalid:
		return false
	}
	for i := range t.children {
		if !t.children[i].readable() {
			return false
		}
	}
	return t.width > 0 || len(t.children) > 0
}

// vec is a part of a vector.
type vec struct {
	data unsafe.Pointer // of its first element
	mask unsafe.Pointer // nil if nothing is null
	off  int            // of its first element in mask
	v    mapping.Vector
}

func newVec(v mapping.Vector) vec {
	return vec{data: mapping.VectorGetData(v), mask: mapping.VectorGetValidity(v), v: v}
}

func (v vec) slice(t *colType, from int) vec {
	if t.width > 0 {
		v.data = unsafe.Add(v.data, uintptr(from)*t.width)
	}
	v.off += from
	return v
}

func (v vec) null(i int) bool {
	if v.mask == nil {
		return false
	}
	i += v.off
	return *(*uint64)(unsafe.Add(v.mask, i/64*8))>>(i%64)&1 == 0
}

// firstNull is the first null of n, n if there is none.
func (v vec) firstNull(n int) int {
	if v.mask == nil {
		return n
	}
	if v.off%64 == 0 {
		words := unsafe.Slice((*uint64)(unsafe.Add(v.mask, v.off/64*8)), (n+63)/64)
		whole := true
		for i, w := range words {
			if i == len(words)-1 && n%64 != 0 {
				w |= ^uint64(0) << (n % 64)
			}
			if w != ^uint64(0) {
				whole = false
				break
			}
		}
		if whole {
			return n
		}
	}
	for i := range n {
		if v.null(i) {
			return i
		}
	}
	return n
}
