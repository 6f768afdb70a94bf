//go:build !unix || solaris || aix

package raw

import "errors"

// CanMap tells whether Map works on this system.
const CanMap = false

// Map maps the first size bytes of a file for reading, where it can.
func Map(uintptr, int) ([]byte, error) { return nil, errors.ErrUnsupported }
