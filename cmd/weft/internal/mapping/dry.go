package mapping

import (
	"github.com/weft-go/weft/cmd/weft/internal/items"
	"github.com/weft-go/weft/cmd/weft/internal/shell"
	"github.com/weft-go/weft/cmd/weft/internal/template"
)

// dryLine is a job as --dry-run --json writes it.
type dryLine struct {
	Type    string   `json:"type"` // "job"
	Index   int      `json:"index"`
	Item    string   `json:"item"`
	Command []string `json:"command"`
}

// Dry returns the line that shows what would run for an item.
func Dry(t *template.Template, it items.Item, script, asJSON bool) ([]byte, error) {
	args := t.Fill(it.Index+1, it.Text, it.Fields)
	if asJSON {
		if script {
			args = []string{"sh", "-c", args[0]}
		}
		return marshal(dryLine{"job", it.Index, it.Text, args})
	}
	if script {
		return []byte(args[0] + "\n"), nil
	}
	return []byte(shell.Join(args) + "\n"), nil
}
