// Weft is the command line of package weft: just-right parallelism.
package main
