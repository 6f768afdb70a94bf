package graph

import (
	"os"
	"path/filepath"
	"testing"
)

// TestLook writes all pictures into the directory WEFT_LOOK, to be looked at.
func TestLook(t *testing.T) {
	dir := os.Getenv("WEFT_LOOK")
	if dir == "" {
		t.Skip("set WEFT_LOOK to a directory to have pictures written there")
	}
	for name, r := range fakes() {
		for by := ByOrder; by <= ByTime; by++ {
			f, err := os.Create(filepath.Join(dir, name+"-"+by.String()+".svg"))
			if err != nil {
				t.Fatal(err)
			}
			if err := SVG(f, r, by); err != nil {
				t.Error(err)
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}
