package main

const (
	frameDoc   = "questions to tables, rows into structs, Go functions, memory, beside duckdb, polars, pandas and dask"
	frameTitle = "Frames: larger than memory"
)

// frameAnswer is what one side found, and how long it took.
type frameAnswer struct {
	Question string  `json:"question"`
	Seconds  float64 `json:"seconds"`
	Rows     int64   `json:"rows"`
	Check    float64 `json:"check"` // the sum of a column, so that nobody skips the work
}
