//go:build !unix

package mapping

import "os"

func suspends(os.Signal) bool { return false }

func proceeds(os.Signal) bool { return false }

func suspendSelf() {}
