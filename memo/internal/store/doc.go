// Package store keeps results in a directory that many processes share. It
// knows keys and bytes, not functions and types.
//
//	CACHEDIR.TAG, .gitignore   for backup programs and git
//	format                     "memo 1"
//	lock                       one byte of it is locked for each key at work
//	e/a/bcdef...               entries: 32 directories by the first letter of the key
//	b/, c/, f/, n/             small records beside: binaries, code, files seen, functions
//	log/0000000000000001       what was put and used, in order (see journal.go)
//	tmp/                       files being written
//
// An entry is written to tmp, then renamed, so that it is there as a whole or
// not at all; a small new one is written at its place with one write, and is
// empty, which is no entry, until then. A checksum finds what a power cut or a disk makes of it later.
// Whatever can't be read is a miss.
package store
