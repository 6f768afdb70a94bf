//go:build !cgo

package cli

// run says why there are no queries.
func (q *queryCmd) run(s *session) int {
	s.screen.Say("this weft was built without cgo, and so without DuckDB, which answers queries; build it with CGO_ENABLED=1 and a C compiler")
	return 1
}
