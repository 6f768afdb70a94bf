//go:build cgo

package frame

import "github.com/duckdb/duckdb-go/v2/mapping"

// badLines reads the query that done began.
func (r *run) badLines() error {
	for {
		chunk, n, err := r.next()
		if err != nil || n == 0 {
			return err
		}
		lines := make([]BadLine, n)
		text := func(col int, put func(i int, s string)) {
			src := newVec(mapping.DataChunkGetVector(chunk, mapping.IdxT(col)))
			for i := range n {
				if !src.null(i) {
					put(i, string((*text)(src.slice(r.typ(col), i).data).bytes()))
				}
			}
		}
		text(0, func(i int, s string) { lines[i].File = s })
		text(2, func(i int, s string) { lines[i].Column = s })
		text(3, func(i int, s string) { lines[i].Text = s })
		text(4, func(i int, s string) { lines[i].Reason = s })
		no := newVec(mapping.DataChunkGetVector(chunk, 1))
		for i := range n {
			lines[i].Line = int64(*(*uint64)(no.slice(r.typ(1), i).data))
		}
		mapping.DestroyDataChunk(&chunk)
		for _, l := range lines {
			for _, c := range r.csvs {
				c.OnBad(l)
			}
		}
	}
}
