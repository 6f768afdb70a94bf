//go:build cgo

package frame

import (
	"fmt"
	"math/big"
	"time"
)

// Type is the type of a column, as the engine writes it: "BIGINT",
// "DECIMAL(18,2)", "VARCHAR[]", "STRUCT(a INTEGER, b VARCHAR)".
type Type string

// The types of plain columns.
const (
	Bool     Type = "BOOLEAN"
	Int8     Type = "TINYINT"
	Int16    Type = "SMALLINT"
	Int32    Type = "INTEGER"
	Int64    Type = "BIGINT"
	Uint8    Type = "UTINYINT"
	Uint16   Type = "USMALLINT"
	Uint32   Type = "UINTEGER"
	Uint64   Type = "UBIGINT"
	HugeInt  Type = "HUGEINT"
	Float32  Type = "FLOAT"
	Float64  Type = "DOUBLE"
	String   Type = "VARCHAR"
	Bytes    Type = "BLOB"
	Date     Type = "DATE"
	Time     Type = "TIME"
	DateTime Type = "TIMESTAMP"                // without a zone
	Instant  Type = "TIMESTAMP WITH TIME ZONE" // a moment, shown in UTC
	Duration Type = "INTERVAL"
	UUID     Type = "UUID"
)

// Column is a column of a frame.
type Column struct {
	Name string `json:"name"`
	Type Type   `json:"type"`
}

// Decimal is a number with a fixed number of digits after the point: Unscaled
// times ten to the minus Scale.
type Decimal struct {
	Unscaled *big.Int
	Scale    int
}

// String writes all digits after the point: 12.50 for 1250 with Scale 2.
func (d Decimal) String() string {
	if d.Unscaled == nil {
		return "0"
	}
	s := new(big.Int).Abs(d.Unscaled).String()
	for len(s) <= d.Scale {
		s = "0" + s
	}
	if d.Scale > 0 {
		s = s[:len(s)-d.Scale] + "." + s[len(s)-d.Scale:]
	}
	if d.Unscaled.Sign() < 0 {
		s = "-" + s
	}
	return s
}

// Float64 is the nearest float.
func (d Decimal) Float64() float64 {
	if d.Unscaled == nil {
		return 0
	}
	f, _ := new(big.Rat).SetFrac(d.Unscaled, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(d.Scale)), nil)).Float64()
	return f
}

func (d Decimal) sql() (string, error) {
	if d.Unscaled == nil {
		return "NULL", nil
	}
	s := d.String()
	digits := len(new(big.Int).Abs(d.Unscaled).String())
	if d.Scale < 0 || d.Scale > 38 || digits > 38 {
		return "", fmt.Errorf("the decimal %s has more than 38 digits", s)
	}
	return fmt.Sprintf("CAST('%s' AS DECIMAL(%d,%d))", s, max(digits, d.Scale, 1), d.Scale), nil
}

// Interval is a span of time as calendars have it: months and days differ in
// length. A time.Duration can hold one whose Months are 0.
type Interval struct {
	Months, Days int32
	Micros       int64
}

// Duration is the interval's length where days have 24 hours. It does not
// count months.
func (i Interval) Duration() time.Duration {
	return time.Duration(i.Days)*24*time.Hour + time.Duration(i.Micros)*time.Microsecond
}
