// Package rangelock locks single bytes of one file, across processes: one lock
// for each of 2^62 names, without a file for each. The system frees the locks
// of a process that ends, however it ends. Nothing is ever unlinked.
//
// On a network file system the locks hold between hosts where it implements
// fcntl locks (NFS 4 does).
package rangelock

import "errors"

// ErrUnsupported is that the file system has no locks.
var ErrUnsupported = errors.New("this file system has no locks")

// Most is the largest offset that may be locked.
const Most = 1<<62 - 1
