// Package npy reads and writes NumPy's .npy files, versions 1 to 3, and .npz
// archives of them.
//
// It holds the element types of package dtype, in C and in Fortran order, of
// either byte order; files are written little endian, in the oldest version
// that holds the header. Object arrays are refused: reading one runs code that
// the file names.
//
// Nothing that a header says is believed: memory is taken as bytes arrive, and
// a file's size is looked at before anything is read from it. A file that is
// wrong gives an error that wraps [ErrFormat], and says what and where; one of
// another element type than asked for, [ErrType]; one that says more elements
// than it has bytes, [ErrTruncated].
//
// Functions may be called concurrently. A [File] may be read concurrently; a
// [Writer] may be written concurrently at places that do not overlap.
package npy
