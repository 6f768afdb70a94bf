//go:build !unix

package memo

import "io/fs"

func fileIdent(fs.FileInfo) string { return "" }
