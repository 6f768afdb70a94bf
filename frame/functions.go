//go:build cgo

package frame

import "fmt"

// Numbers.

// Abs is the absolute value.
func (e Expr) Abs() Expr { return e.call("abs") }

// Round rounds to so many digits after the point, half away from zero.
func (e Expr) Round(digits int) Expr { return e.call("round", digits) }

// Floor is the greatest whole number not above e.
func (e Expr) Floor() Expr { return e.call("floor") }

// Ceil is the least whole number not below e.
func (e Expr) Ceil() Expr { return e.call("ceil") }

// Sqrt is the square root.
func (e Expr) Sqrt() Expr { return e.call("sqrt") }

// Exp is e (2.718...) to the power of the expression.
func (e Expr) Exp() Expr { return e.call("exp") }

// Ln is the natural logarithm.
func (e Expr) Ln() Expr { return e.call("ln") }

// Log10 is the decimal logarithm.
func (e Expr) Log10() Expr { return e.call("log10") }

// Sign is -1, 0 or 1.
func (e Expr) Sign() Expr { return e.call("sign") }

// Texts. Positions and lengths are in characters and begin with 1.

// Lower has small letters.
func (e Expr) Lower() Expr { return e.call("lower") }

// Upper has capital letters.
func (e Expr) Upper() Expr { return e.call("upper") }

// Trim cuts white space at both ends.
func (e Expr) Trim() Expr { return e.call("trim") }

// Len is the number of characters of a text, or of elements of a list.
func (e Expr) Len() Expr { return e.call("len") }

// Substr is n characters from the given one on.
func (e Expr) Substr(from, n int) Expr { return e.call("substr", from, n) }

// Concat joins texts; nulls are left out.
func (e Expr) Concat(vs ...any) Expr { return e.call("concat", vs...) }

// Replace replaces all of one text by another.
func (e Expr) Replace(old, with any) Expr { return e.call("replace", old, with) }

// Split cuts a text into a list at sep.
func (e Expr) Split(sep any) Expr { return e.call("string_split", sep) }

// Contains tells whether a text has another one in it, or a list an element.
func (e Expr) Contains(v any) Expr { return e.call("contains", v) }

// StartsWith tells whether a text begins with another one.
func (e Expr) StartsWith(v any) Expr { return e.call("starts_with", v) }

// EndsWith tells whether a text ends with another one.
func (e Expr) EndsWith(v any) Expr { return e.call("ends_with", v) }

// Like compares with a pattern of SQL: % is any text, _ one character.
func (e Expr) Like(pattern any) Expr { return e.infix("LIKE", pattern) }

// Regular expressions are RE2's, as in Go.

// Match tells whether a part of the text fits the pattern.
func (e Expr) Match(pattern any) Expr { return e.call("regexp_matches", pattern) }

// Extract is the part that fits a group of the pattern, "" if none does; group
// 0 is the whole.
func (e Expr) Extract(pattern any, group int) Expr {
	return e.call("regexp_extract", pattern, group)
}

// ExtractAll is the list of all parts that fit the pattern.
func (e Expr) ExtractAll(pattern any) Expr { return e.call("regexp_extract_all", pattern) }

// ReplaceMatch replaces all that fits the pattern; \1 in with is its first
// group.
func (e Expr) ReplaceMatch(pattern, with any) Expr {
	return e.call("regexp_replace", pattern, with, "g")
}

// Dates and times, in UTC.

// Year is the year.
func (e Expr) Year() Expr { return e.call("year") }

// Month is the month, from 1.
func (e Expr) Month() Expr { return e.call("month") }

// Day is the day of the month, from 1.
func (e Expr) Day() Expr { return e.call("day") }

// Hour is the hour, from 0.
func (e Expr) Hour() Expr { return e.call("hour") }

// Minute is the minute.
func (e Expr) Minute() Expr { return e.call("minute") }

// Second is the second, without its fraction.
func (e Expr) Second() Expr { return e.call("second") }

// Weekday is the day of the week, from 0 for Sunday as in Go.
func (e Expr) Weekday() Expr { return e.call("dayofweek") }

// YearDay is the day of the year, from 1.
func (e Expr) YearDay() Expr { return e.call("dayofyear") }

// Epoch is the seconds since 1970, a float.
func (e Expr) Epoch() Expr { return e.call("epoch") }

// Truncate cuts a time to its "year", "quarter", "month", "week", "day",
// "hour", "minute" or "second".
func (e Expr) Truncate(unit string) Expr {
	return Expr{&expr{kind: kindCall, name: "date_trunc", args: []Expr{value(unit), e.orBad()}, at: here()}}
}

// ParseTime reads a time by a format of C's strptime: "%d/%m/%Y %H:%M". What
// does not fit is an error when the frame runs.
func (e Expr) ParseTime(format string) Expr { return e.call("strptime", format) }

// FormatTime writes a time by a format of C's strftime.
func (e Expr) FormatTime(format string) Expr { return e.call("strftime", format) }

// Lists and structs.

// Field is a field of a struct.
func (e Expr) Field(name string) Expr {
	return Expr{&expr{kind: kindField, name: name, args: []Expr{e.orBad()}, at: here()}}
}

// Index is the i-th element of a list, from 0; negative counts from the end.
// Null if there is none.
func (e Expr) Index(i int) Expr {
	if i >= 0 {
		i++
	}
	return e.call("list_extract", i)
}

// ListSum, and the rest, reduce a list in each row.
func (e Expr) ListSum() Expr { return e.call("list_sum") }

// ListMean is the mean of a list.
func (e Expr) ListMean() Expr { return e.call("list_avg") }

// ListMin is the least element of a list.
func (e Expr) ListMin() Expr { return e.call("list_min") }

// ListMax is the greatest element of a list.
func (e Expr) ListMax() Expr { return e.call("list_max") }

// ListSort is a list in order.
func (e Expr) ListSort() Expr { return e.call("list_sort") }

// ListUnique is a list without repetitions, in no particular order.
func (e Expr) ListUnique() Expr { return e.call("list_distinct") }

// Join joins the texts of a list, with sep between them.
func (e Expr) Join(sep string) Expr { return e.call("array_to_string", sep) }

// ListOf is a list of the columns, which have one type.
func ListOf(cols ...any) Expr { return call("list_value", columns(cols)...) }

// StructOf is a struct with the columns as its fields, named as they are.
func StructOf(cols ...any) Expr {
	exprs := columns(cols)
	if len(exprs) == 0 {
		return bad(fmt.Errorf("StructOf needs a column at least"))
	}
	return Expr{&expr{kind: kindCall, name: "struct_pack", args: exprs, at: here()}}
}
