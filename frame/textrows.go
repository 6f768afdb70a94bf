//go:build cgo

package frame

import "github.com/duckdb/duckdb-go/v2/mapping"

// textRows returns the next rows of a query whose columns are all texts; nil
// stands for null. At the end there are none.
func (r *run) textRows() ([][]*string, error) {
	chunk, n, err := r.next()
	if err != nil || n == 0 {
		return nil, err
	}
	defer mapping.DestroyDataChunk(&chunk)
	flat := make([]*string, n*len(r.cols))
	rows := make([][]*string, n)
	for i := range rows {
		rows[i] = flat[i*len(r.cols) : (i+1)*len(r.cols)]
	}
	for c := range r.cols {
		v := newVec(mapping.DataChunkGetVector(chunk, mapping.IdxT(c)))
		for i := range n {
			if !v.null(i) {
				s := string((*text)(v.slice(r.typ(c), i).data).bytes())
				rows[i][c] = &s
			}
		}
	}
	return rows, nil
}
