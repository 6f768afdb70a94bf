package objects

import (
	"encoding/hex"
	"fmt"
	"math"
	"strings"
)

// Ref is a reference to a value in a store. Its fields are for codecs: a ref
// is good for Get only if Put made it.
type Ref struct {
	// Path is the object's name below the store's URL: the prefix given to
	// Put, a slash, and the content's hash as 64 hexadecimal digits.
	Path string
	// Size is the value's length in bytes.
	Size int64
}

// IsZero tells whether the ref is the zero value, which no Put returns.
func (r Ref) IsZero() bool { return r == Ref{} }

func (r Ref) String() string { return fmt.Sprintf("%s (%d bytes)", r.Path, r.Size) }

const (
	hashDigits = 64
	maxPrefix  = 512 // bytes; stores take names of some 1,000
)

// check refuses what Put cannot have made, and returns the hash's digits.
func (r Ref) check() (hash string, err error) {
	prefix, hash, ok := cutLast(r.Path)
	switch {
	case !ok:
		return "", fmt.Errorf("%w: path %q has no prefix", ErrRef, r.Path)
	case r.Size < 0 || r.Size > math.MaxInt64/2:
		return "", fmt.Errorf("%w: size %d", ErrRef, r.Size)
	case !isHash(hash):
		return "", fmt.Errorf("%w: path %q does not end in a content hash", ErrRef, r.Path)
	}
	return hash, checkPrefix(prefix)
}

func cutLast(path string) (prefix, last string, ok bool) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return "", path, false
	}
	return path[:i], path[i+1:], true
}

func isHash(s string) bool {
	_, err := hex.DecodeString(s)
	return err == nil && len(s) == hashDigits && s == strings.ToLower(s)
}

// checkPrefix takes names of letters, digits and ".-_" with slashes between.
// What a file system or a store reads in its own way has no place in it: no
// empty or dotted parts, no backslash, no escape, no drive.
func checkPrefix(prefix string) error {
	if prefix == "" || len(prefix) > maxPrefix {
		return fmt.Errorf("%w: prefix %.40q has %d bytes, want 1 to %d", ErrRef, prefix, len(prefix), maxPrefix)
	}
	for part := range strings.SplitSeq(prefix, "/") {
		if part == "" || part[0] == '.' || strings.HasSuffix(part, ".") || strings.ContainsFunc(part, notInName) {
			return fmt.Errorf("%w: prefix %q: each part must be letters, digits, '-', '_' and inner '.'", ErrRef, prefix)
		}
	}
	return nil
}

const nameBytes = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."

func notInName(r rune) bool { return !strings.ContainsRune(nameBytes, r) }
