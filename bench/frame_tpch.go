package main

import (
	"bufio"
	_ "embed"
	"fmt"
	"math"
	"strconv"
	"strings"
)

const (
	tpchDoc   = "the 22 questions of TPC-H at scale 1, checked against their published answers, beside duckdb, polars, pandas, dask and pyspark"
	tpchTitle = "Frames: TPC-H"
)

// tpchTables are those of the specification.
var tpchTables = []string{"customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier"}

//go:embed tpch/queries.sql
var tpchSQL string

//go:embed tpch/answers.txt
var tpchAnswers string

// tpchQuery is a question with its published answer.
type tpchQuery struct {
	name, sql string
	rows      int64
	columns   []tpchColumn
}

// tpchColumn is what is known of a column of an answer: the sum of its
// numbers, or of the hashes of its texts.
type tpchColumn struct {
	name string
	text bool
	skip bool
	sum  float64
	hash uint64
}

// numbers is the sum of all numbers of an answer.
func (q tpchQuery) numbers() float64 {
	sum := 0.0
	for _, c := range q.columns {
		sum += c.sum
	}
	return sum
}

// tpchQueries reads the questions and the answers.
func tpchQueries() ([]tpchQuery, error) {
	var out []tpchQuery
	for line := range strings.Lines(tpchSQL) {
		switch {
		case strings.HasPrefix(line, "-- q"):
			out = append(out, tpchQuery{name: strings.TrimSpace(line[3:])})
		case len(out) > 0:
			out[len(out)-1].sql += line
		}
	}
	n := 0
	for s := bufio.NewScanner(strings.NewReader(tpchAnswers)); s.Scan(); {
		line := s.Text()
		if strings.HasPrefix(line, "#") {
			continue
		}
		parts := strings.Fields(line)
		if n >= len(out) || len(parts) < 3 || parts[0] != out[n].name {
			return nil, fmt.Errorf("the answers have %q where a question's is to be", line)
		}
		q := &out[n]
		n++
		var err error
		if q.rows, err = strconv.ParseInt(parts[1], 10, 64); err != nil {
			return nil, err
		}
		for _, p := range parts[2:] {
			c := tpchColumn{}
			if name, ok := strings.CutSuffix(p, "~"); ok {
				q.columns = append(q.columns, tpchColumn{name: name, skip: true})
				continue
			}
			if name, sum, ok := strings.Cut(p, "="); ok {
				c.name = name
				c.sum, err = strconv.ParseFloat(sum, 64)
			} else {
				c.text = true
				c.name, sum, _ = strings.Cut(p, ":")
				c.hash, err = strconv.ParseUint(sum, 16, 64)
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", line, err)
			}
			q.columns = append(q.columns, c)
		}
	}
	if len(out) != 22 || n != len(out) {
		return nil, fmt.Errorf("%d questions and %d answers", len(out), n)
	}
	return out, nil
}

// near tells whether two sums are the same but for rounding.
func near(a, b float64) bool { return math.Abs(a-b) <= 1e-7*max(math.Abs(a), math.Abs(b)) }
