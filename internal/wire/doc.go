// Package wire puts Go values into bytes and back, to move them between
// processes of the same program.
//
// The bytes are CBOR (RFC 8949): a struct is an array of its fields in order,
// a map a map, a string a text string, a []byte a byte string, a number an
// integer or a float. Slices and arrays of numbers are the typed arrays of RFC
// 8746: a tag and the memory as it is, which is copied and not converted. A type
// with MarshalBinary is a byte string of what that returns. Both sides are the
// same program, so no names and no types travel; any CBOR tool still shows
// what is there.
//
// Nothing is lost in silence: a type that holds a function, a channel, an
// interface or an unexported field without MarshalBinary is refused by Check,
// with the path to the field, before any value is seen. Tags of other encoders,
// json:"-" say, do not count.
//
// Decoding checks every length against what is there, so that broken input is
// an error and never a panic or a huge allocation.
package wire
