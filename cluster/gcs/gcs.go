// Package gcs links Google Cloud Storage into a program, so that a cluster's
// store may be a gs:// URL:
//
//	import _ "github.com/weft-go/weft/cluster/gcs"
//
// It is left to the program because it adds some 30 MB to it; the other
// stores add 20 MB together. Driver and workers are the same binary, so one
// import serves both.
package gcs

import _ "gocloud.dev/blob/gcsblob" // registers its scheme
