package cli

import (
	_ "embed"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

type queryCmd struct {
	SQL      string `arg:"" name:"sql" optional:"" help:"The query, in DuckDB's SQL."`
	Describe string `placeholder:"FILES" help:"Describe the columns of files in place of a query: types, least and greatest, quartiles, nulls."`
	Mem      size   `placeholder:"SIZE" help:"Memory for the query: 512M, 2G. Defaults to half of what the process may use."`
	Threads  int    `placeholder:"N" help:"CPUs at once: -1 all, -2 all but one. Defaults to those that are not kept free for the system."`
	Format   string `placeholder:"NAME" help:"box, csv, json (an object a line), markdown, or parquet with -o. Defaults to what the name of -o ends with, to box on a terminal, else to csv."`
	Output   string `short:"o" placeholder:"FILE" help:"Write to a file, which is the old one or the whole new one at any time. Defaults to stdout."`
	Progress *bool  `negatable:"" help:"Show on stderr how far the query is. Defaults to on if stderr is a terminal."`
	Explain  bool   `help:"Say what would be computed, and compute nothing."`
}

//go:embed query.txt
var queryHelp string

func (*queryCmd) usage() string { return "weft query [flags] SQL" }

func (*queryCmd) more() string { return queryHelp }

var queryFormats = []string{"box", "csv", "json", "markdown", "parquet"}

// check finds what makes no sense, and fills in the format.
func (q *queryCmd) check(s *session, terminal bool) error {
	switch {
	case s.rest != nil:
		return errors.New("weft query runs no command; leave -- and what follows out")
	case q.SQL == "" && q.Describe == "":
		return errors.New("say what to ask: weft query \"SELECT ... FROM 'data/*.csv'\", or --describe 'data/*.csv'")
	case q.SQL != "" && q.Describe != "":
		return errors.New("--describe stands in place of a query; give one of them")
	}
	if q.Format == "" {
		name := strings.TrimSuffix(strings.TrimSuffix(q.Output, ".gz"), ".zst")
		switch ext := filepath.Ext(name); {
		case q.Output == "" && (terminal || q.Describe != ""):
			q.Format = "box"
		case q.Output == "" || ext == ".csv":
			q.Format = "csv"
		case ext == ".json" || ext == ".jsonl" || ext == ".ndjson":
			q.Format = "json"
		case ext == ".md":
			q.Format = "markdown"
		case ext == ".parquet":
			q.Format = "parquet"
		case ext == ".txt":
			q.Format = "box"
		default:
			return fmt.Errorf("-o %s does not say in which format; add --format %s", q.Output, strings.Join(queryFormats, ", "))
		}
	}
	if !slices.Contains(queryFormats, q.Format) {
		return fmt.Errorf("--format %s is none of %s", q.Format, strings.Join(queryFormats, ", "))
	}
	if q.Format == "parquet" && q.Output == "" && !q.Explain {
		return errors.New("--format parquet needs a file: -o FILE")
	}
	return nil
}
