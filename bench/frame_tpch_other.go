//go:build !cgo

package main

var tpchBenchmark = sectionBenchmark("tpch", tpchDoc, tpchTitle, 3, withoutDuckDB)
