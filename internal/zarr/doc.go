// Package zarr reads and writes arrays in Zarr's formats, versions 2 and 3: a
// directory with a description in JSON and a file a chunk, or with sharding a
// file for many.
//
// It knows the element types of package dtype; C order, Fortran order and, on
// reading, any order of the axes; both byte orders; fill values, for chunks
// that are not there; either separator in the names of chunks; and the codecs
// bytes, transpose, gzip, zstd, crc32c and sharding_indexed, in version 2 gzip,
// zlib and zstd. Anything else, blosc above all, is an error that says what to
// write instead.
//
// Nothing outside the array's directory is read or written, whatever its
// symbolic links say (os.Root). Nothing that the description says is believed:
// memory is taken as bytes arrive. What is not well formed gives an error that
// wraps [ErrFormat] and names the file; another element type than asked for,
// [ErrType]; a group, or another kind of node, [ErrNode].
//
// An [Array] may be read concurrently. A [Writer] may be written concurrently
// at blocks that do not share a chunk. Until its Commit nothing is at the
// path.
package zarr
