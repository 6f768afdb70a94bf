package graph

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/weft-go/weft/graph/internal/layout"
	"github.com/weft-go/weft/internal/plan"
)

// SVG draws the graph of a record, inputs above what uses them, with a legend
// and with a title for each task that a browser shows under the mouse. Tasks
// with the same neighbours are drawn as a block of small boxes. Up to 500 tasks
// and 2,500 inputs each task is drawn, beyond that each [Task.Group] has a box
// with counts and times. The picture follows the light or dark scheme of the
// reader and loads nothing.
//
// It takes some 12 ms for 500 tasks, and some 300 ns a task for many. Errors are
// those of w, and of a record whose numbers contradict each other.
func SVG(w io.Writer, r *Record, by Color) error {
	p, err := newPicture("SVG", w, r, by, mostBoxes, mostArrows)
	if err != nil {
		return err
	}
	b := bufio.NewWriter(w)
	b.WriteString("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")
	newDrawing(p).write(b)
	return b.Flush()
}

// Sizes in pixels.
const (
	letter     = 7.25 // width of a column of text at 12 px
	cell       = 15   // a box of a grid
	cellGap    = 3
	chainWidth = 128 // a box of a chain that is folded
	chainRow   = 20
	foldStep   = 23 // from one step of a fold to the next
	gridPad    = 8
	gridHead   = 20
	margin     = 20
	legendRow  = 22
	leastPage  = 560
	labelMost  = 24 // columns
)

// drawing is a picture with sizes and places.
type drawing struct {
	*picture
	blocks []block
	of     []int // block of a box
	sizes  []layout.Box
	arrows []arrow // between blocks
	page   layout.Page
	legend []legendItem
	width  float64
	top    float64 // of the graph, below the legend
}

func newDrawing(p *picture) *drawing {
	d := &drawing{picture: p}
	d.blocks, d.of = p.blocks()
	for i := range d.blocks {
		d.sizes = append(d.sizes, d.size(&d.blocks[i]))
	}
	at := map[[2]int]int{}
	var edges []layout.Edge
	for _, a := range p.arrows {
		from, to := d.of[a.from], d.of[a.to]
		if from == to {
			continue // within a chain
		}
		k, ok := at[[2]int{from, to}]
		if !ok {
			k = len(d.arrows)
			at[[2]int{from, to}] = k
			d.arrows = append(d.arrows, arrow{from: from, to: to})
			edges = append(edges, layout.Edge{From: from, To: to})
		}
		d.arrows[k].inputs += a.inputs
		d.arrows[k].critical = d.arrows[k].critical || a.critical
	}
	d.page = layout.Place(d.sizes, edges)
	d.width = max(leastPage, d.page.Width+2*margin)
	d.placeLegend()
	return d
}

func (d *drawing) size(b *block) layout.Box {
	if !b.grid() {
		x := &d.boxes[b.chains[0][0]]
		wide := max(columns(short(x.name, labelMost)), columns(x.detail))
		high := 24.0
		if x.detail != "" {
			high = 38
		}
		if d.grouped {
			high = 48
		}
		return layout.Box{Width: max(56, letter*float64(wide)+18), Height: high}
	}
	across, down, w, h := d.gridShape(b)
	return layout.Box{
		Width:  max(float64(across)*w, letter*float64(columns(b.label))) + 2*gridPad,
		Height: float64(down)*h + gridHead + gridPad + 2,
	}
}

// gridShape is how many chains there are in a row of a grid, how many rows, and
// the size of each. A single chain is folded into columns.
func (d *drawing) gridShape(b *block) (across, down int, w, h float64) {
	long := len(b.chains[0])
	if b.fold {
		across = min(long, foldRow)
		return across, (long + across - 1) / across, foldStep, cell + 6
	}
	if len(b.chains) == 1 {
		down = min(long, chainRows)
		return (long + down - 1) / down, down, chainWidth + 14, chainRow
	}
	across = int(math.Ceil(math.Sqrt(1.6 * float64(len(b.chains)*long))))
	across = min(max(across, 8), len(b.chains))
	down = (len(b.chains) + across - 1) / across
	across = (len(b.chains) + down - 1) / down
	h = float64(long * (cell + cellGap))
	if long > 1 {
		h += 5
	}
	return across, down, cell + cellGap, h
}

// cellAt is where the box at a place of a chain of a grid is, from the corner
// of the grid.
func (d *drawing) cellAt(b *block, chain, at int) (x, y, w, h float64) {
	across, down, gw, gh := d.gridShape(b)
	if b.fold {
		return gridPad + float64(at%across)*gw, gridHead + float64(at/across)*gh, cell, cell
	}
	if len(b.chains) == 1 {
		return gridPad + 7 + float64(at/down)*gw, gridHead + float64(at%down)*gh, chainWidth, chainRow - 5
	}
	return gridPad + float64(chain%across)*gw, gridHead + float64(chain/across)*gh + float64(at)*(cell+cellGap), cell, cell
}

const svgStyle = `.wg{background:#fff;font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono","Liberation Mono",monospace}
.wg text{fill:#222}.wg .m{text-anchor:middle}.wg .h{font-weight:bold}.wg .s{font-size:11px}
.wg .q{fill:#666}.wg .e{fill:none;stroke:#8a8a8a;stroke-opacity:.75}.wg .a{fill:#8a8a8a}
.wg .b{stroke:#666;stroke-width:1}.wg .c{stroke:#111;stroke-width:2.5}.wg .ec{stroke:#111;stroke-width:2.5;stroke-opacity:1}
.wg .k{stroke-dasharray:3 2}.wg .o{fill:none;stroke:#666}.wg .g{fill:#f4f4f4;stroke:#999}.wg .x{stroke:#111;stroke-width:1.6}
.wg .l{fill:#111}.wg .w{fill:#fff}
@media(prefers-color-scheme:dark){.wg{background:#16181d}.wg text{fill:#e4e4e4}.wg .q{fill:#a4a4a4}.wg .e{stroke:#8f949c}
.wg .c{stroke:#fff}.wg .ec{stroke:#fff}.wg .o{stroke:#bbb}.wg .g{fill:#22252c;stroke:#666}.wg text.l{fill:#111}.wg text.w{fill:#fff}}
@media print{.wg{background:#fff}}
`

// write writes the svg element. Ids in it begin with the name of the colours,
// so that a page can hold one of each.
func (d *drawing) write(b *bufio.Writer) {
	height := d.top + d.page.Height + margin
	fmt.Fprintf(b, "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"wg\" width=\"%.0f\" height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"%s\">\n",
		d.width, height, d.width, height, inXML(d.head()))
	fmt.Fprintf(b, "<style>%s</style>\n<defs><marker id=\"wg-%v\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path class=\"a\" d=\"M0 0.5 8 4 0 7.5z\"/></marker></defs>\n", svgStyle, d.by)
	d.writeLegend(b)
	fmt.Fprintf(b, "<g transform=\"translate(%.1f %.1f)\">\n", (d.width-d.page.Width)/2, d.top)
	if len(d.boxes) == 0 {
		fmt.Fprintf(b, "<text class=\"m\" x=\"%.1f\" y=\"0\">no tasks</text>\n", d.page.Width/2)
	}
	// The critical path is drawn last, over the rest.
	order := make([]int, len(d.arrows))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		weight := func(k int) int {
			if d.arrows[k].critical {
				return 1
			}
			return 0
		}
		return cmp.Compare(weight(i), weight(j))
	})
	for _, i := range order {
		d.writeArrow(b, d.arrows[i], d.page.Edges[i])
	}
	for i := range d.blocks {
		c, s := d.page.Boxes[i], d.sizes[i]
		if x, y := c.X-s.Width/2, c.Y-s.Height/2; d.blocks[i].grid() {
			d.writeGrid(b, &d.blocks[i], x, y, s)
		} else {
			d.writeBox(b, &d.boxes[d.blocks[i].chains[0][0]], x, y, s.Width, s.Height)
		}
	}
	b.WriteString("</g>\n</svg>\n")
}

func (d *drawing) writeArrow(b *bufio.Writer, a arrow, way []layout.Point) {
	if len(way) < 2 {
		return
	}
	class := "e"
	style := ""
	if a.critical {
		class = "e ec"
	} else if a.inputs > 1 {
		style = fmt.Sprintf(" stroke-width=\"%.1f\"", min(7, 1+0.6*math.Log2(float64(a.inputs))))
	}
	fmt.Fprintf(b, "<path class=\"%s\"%s marker-end=\"url(#wg-%v)\" d=\"M%.1f %.1f", class, style, d.by, way[0].X, way[0].Y)
	for i := 1; i < len(way); i++ {
		p, q := way[i-1], way[i]
		if p.X == q.X {
			fmt.Fprintf(b, "V%.1f", q.Y)
			continue
		}
		y := (p.Y + q.Y) / 2
		fmt.Fprintf(b, "C%.1f %.1f %.1f %.1f %.1f %.1f", p.X, y, q.X, y, q.X, q.Y)
	}
	b.WriteString("\"")
	if a.inputs > 1 {
		fmt.Fprintf(b, "><title>%s</title></path>\n", counted(a.inputs, "input"))
		return
	}
	b.WriteString("/>\n")
}

// inkClass is the class of text on a colour.
func inkClass(c rgb) string {
	if c.ink().r > 0x80 {
		return "w"
	}
	return "l"
}

func (x *pictured) class() string {
	class := "b"
	if x.critical {
		class += " c"
	}
	if x.constant || x.state == StateSkipped && len(x.tasks) == 1 {
		class += " k"
	}
	return class
}

func (d *drawing) writeBox(b *bufio.Writer, x *pictured, left, top, w, h float64) {
	round := 4.0
	if x.constant {
		round = h / 2
	}
	fill, class := x.fill, x.class()
	if d.grouped && d.by == ByState {
		fill = noColor // the bar tells
	}
	fmt.Fprintf(b, "<g class=\"t\"><title>%s</title><rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"%g\" fill=\"%v\"/>",
		inXML(x.title), class, left, top, w, h, round, fill)
	if x.asked {
		fmt.Fprintf(b, "<rect class=\"o\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"%g\"/>", left-4, top-4, w+8, h+8, round+4)
	}
	y := top + 16
	fmt.Fprintf(b, "<text class=\"m %s\" x=\"%.1f\" y=\"%.1f\">%s</text>", inkClass(fill), left+w/2, y, inXML(short(x.name, labelMost)))
	if x.detail != "" {
		fmt.Fprintf(b, "<text class=\"m s %s\" x=\"%.1f\" y=\"%.1f\">%s</text>", inkClass(fill), left+w/2, y+15, inXML(x.detail))
	}
	if d.grouped {
		d.writeShares(b, x, left, top+h-11, w)
	}
	if x.state == StateFailed && !x.constant {
		writeCross(b, left+w-10, top+4, 6)
	}
	b.WriteString("</g>\n")
}

// writeShares draws the states of a group as a bar.
func (d *drawing) writeShares(b *bufio.Writer, x *pictured, left, top, w float64) {
	var states [len(stateNames)]int
	for _, i := range x.tasks {
		states[stateIndex(d.record.Tasks[i].State)]++
	}
	kinds := 0
	for _, n := range states {
		if n > 0 {
			kinds++
		}
	}
	// Each state that there is can be seen.
	const least = 3
	at, wide := left+4, w-8-least*float64(kinds)
	for s, n := range states {
		if n > 0 {
			part := least + wide*float64(n)/float64(len(x.tasks))
			fmt.Fprintf(b, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"7\" fill=\"%v\" stroke=\"#555\" stroke-width=\".4\"/>", at, top, part, stateColors[s])
			at += part
		}
	}
}

// writeCross marks a failure, for those who can't tell it by its colour.
func writeCross(b *bufio.Writer, x, y, size float64) {
	fmt.Fprintf(b, "<path class=\"x\" d=\"M%.1f %.1fl%g %gm0 -%gl-%g %g\"/>", x, y, size, size, size, size, size)
}

func (d *drawing) writeGrid(b *bufio.Writer, bl *block, left, top float64, s layout.Box) {
	fmt.Fprintf(b, "<g class=\"t\"><rect class=\"g\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"6\"/><text x=\"%.1f\" y=\"%.1f\" class=\"m s\">%s</text>",
		left, top, s.Width, s.Height, left+s.Width/2, top+14, inXML(bl.label))
	across, _, gw, _ := d.gridShape(bl)
	left += (s.Width - 2*gridPad - float64(across)*gw) / 2 // under the middle of the label
	for i, chain := range bl.chains {
		for k, box := range chain {
			x := &d.boxes[box]
			cx, cy, w, h := d.cellAt(bl, i, k)
			cx, cy = cx+left, cy+top
			if k > 0 && bl.fold {
				if k%across != 0 {
					fmt.Fprintf(b, "<path class=\"e\" d=\"M%.1f %.1fh%d\"/>", cx-foldStep+cell, cy+h/2, foldStep-cell)
				}
			} else if k > 0 && !straight(bl.parent) {
				// A child is below its parent, or past its siblings.
				_, py, _, ph := d.cellAt(bl, i, bl.parent[k])
				if bl.parent[k] == k-1 {
					fmt.Fprintf(b, "<path class=\"e\" d=\"M%.1f %.1fV%.1f\"/>", cx+w/2, py+top+ph, cy)
				} else {
					fmt.Fprintf(b, "<path class=\"e\" d=\"M%.1f %.1fh-2V%.1fh2\"/>", cx, py+top+ph/2, cy+h/2)
				}
			} else if k > 0 {
				if px, py, pw, ph := d.cellAt(bl, i, k-1); px+left == cx {
					fmt.Fprintf(b, "<path class=\"e\" d=\"M%.1f %.1fV%.1f\"/>", cx+w/2, py+top+ph, cy)
				} else { // on to the next column
					fmt.Fprintf(b, "<path class=\"e\" d=\"M%.1f %.1fh6V%.1fh8\"/>", px+left+pw, py+top+ph/2, cy+h/2)
				}
			}
			fmt.Fprintf(b, "<g><title>%s</title><rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"2\" fill=\"%v\"/>",
				inXML(x.title), x.class(), cx, cy, w, h, x.fill)
			if x.asked {
				fmt.Fprintf(b, "<rect class=\"o\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"3\"/>", cx-1.5, cy-1.5, w+3, h+3)
			}
			if len(bl.chains) == 1 && !bl.fold {
				fmt.Fprintf(b, "<text class=\"m s %s\" x=\"%.1f\" y=\"%.1f\">%s</text>", inkClass(x.fill), cx+w/2, cy+11.5, inXML(short(x.name, 17)))
			}
			if x.state == StateFailed && !x.constant {
				writeCross(b, cx+w-cell+4.5, cy+4.5, 6)
			}
			b.WriteString("</g>")
		}
	}
	b.WriteString("</g>\n")
}

// legendItem is a part of the legend: a mark and its text.
type legendItem struct {
	mark string // of SVG, at 0,0, with rows of 22 px
	wide float64
	text string
	x, y float64
}

func (d *drawing) placeLegend() {
	swatch := func(fill rgb, class, text string) {
		d.legend = append(d.legend, legendItem{
			mark: fmt.Sprintf("<rect class=\"%s\" y=\"4\" width=\"22\" height=\"14\" rx=\"3\" fill=\"%v\"/>", class, fill), wide: 22, text: text,
		})
	}
	switch {
	case d.by == ByState:
		for s, n := range d.states {
			if n > 0 {
				class := "b"
				if State(s) == StateSkipped {
					class = "b k"
				}
				swatch(stateColors[s], class, fmt.Sprintf("%s: %s", stateNames[s], number(n)))
				if State(s) == StateFailed {
					d.legend[len(d.legend)-1].mark += "<path class=\"x\" d=\"M8 8l6 6m0 -6l-6 6\"/>"
				}
			}
		}
	case d.scale.empty:
		swatch(noColor, "b", "not run")
	default:
		var mark strings.Builder
		const steps = 40
		for i := range steps {
			fmt.Fprintf(&mark, "<rect x=\"%d\" y=\"4\" width=\"4.5\" height=\"14\" fill=\"%v\"/>", 4*i, ramp(float64(i)/(steps-1)))
		}
		say := func(x float64) string { return plan.Nanos(d.scale.value(x)) }
		what := "took"
		if d.by == ByOrder {
			say, what = func(x float64) string { return fmt.Sprintf("%.0f", d.scale.value(x)) }, "order"
		}
		text := fmt.Sprintf("%s %s to %s", what, say(0), say(1))
		if d.scale.log {
			text += fmt.Sprintf(", %s in the middle", say(0.5))
		}
		if d.grouped {
			text += ", means"
		}
		d.legend = append(d.legend, legendItem{mark: mark.String(), wide: 4*steps + 1, text: text})
	}
	var asked, critical, constant, grid, fold bool
	for i := range d.boxes {
		x := &d.boxes[i]
		asked, critical, constant = asked || x.asked, critical || x.critical, constant || x.constant
	}
	for i := range d.blocks {
		grid = grid || len(d.blocks[i].chains) > 1
		fold = fold || d.blocks[i].fold
	}
	if constant {
		d.legend = append(d.legend, legendItem{mark: "<rect class=\"b k\" y=\"4\" width=\"26\" height=\"14\" rx=\"7\" fill=\"#ffffff\"/>", wide: 26, text: "constant"})
	}
	if critical {
		d.legend = append(d.legend, legendItem{mark: "<rect class=\"g c\" y=\"4\" width=\"22\" height=\"14\" rx=\"3\"/>", wide: 22, text: "critical path"})
	}
	if asked {
		d.legend = append(d.legend, legendItem{mark: "<rect class=\"o\" y=\"3\" width=\"24\" height=\"16\" rx=\"4\"/><rect class=\"o\" x=\"3\" y=\"6\" width=\"18\" height=\"10\" rx=\"2\"/>", wide: 24, text: "asked for"})
	}
	if grid {
		d.legend = append(d.legend, legendItem{mark: "<rect class=\"g\" y=\"3\" width=\"26\" height=\"16\" rx=\"3\"/><rect class=\"b\" x=\"4\" y=\"7\" width=\"8\" height=\"8\" fill=\"#d8d8d8\"/><rect class=\"b\" x=\"14\" y=\"7\" width=\"8\" height=\"8\" fill=\"#d8d8d8\"/>", wide: 26, text: "tasks with the same arrows"})
	}
	if fold {
		d.legend = append(d.legend, legendItem{mark: "<rect class=\"b\" x=\"1\" y=\"7\" width=\"8\" height=\"8\" fill=\"#d8d8d8\"/><path class=\"e\" d=\"M9 11h9\"/><rect class=\"b\" x=\"18\" y=\"7\" width=\"8\" height=\"8\" fill=\"#d8d8d8\"/>", wide: 27, text: "a Reduce: each takes the one before and an input"})
	}
	for _, n := range d.notes {
		d.legend = append(d.legend, legendItem{text: n})
	}
	x, y := float64(margin), float64(margin+legendRow)
	for i := range d.legend {
		it := &d.legend[i]
		wide := it.wide + 6 + letter*float64(columns(it.text))
		if x > margin && x+wide > d.width-margin {
			x, y = margin, y+legendRow
		}
		it.x, it.y = x, y
		x += wide + 18
	}
	d.top = y + legendRow + 20
}

func (d *drawing) writeLegend(b *bufio.Writer) {
	head := cut(d.head(), int((d.width-2*margin)/(letter+0.2)))
	fmt.Fprintf(b, "<text class=\"h\" x=\"%d\" y=\"%d\"><title>%s</title>%s</text>\n", margin, margin+10, inXML(d.head()), inXML(head))
	for _, it := range d.legend {
		gap := 0.0
		if it.wide > 0 {
			gap = it.wide + 6
		}
		fmt.Fprintf(b, "<g transform=\"translate(%.1f %.1f)\">%s<text class=\"q\" x=\"%.1f\" y=\"15\">%s</text></g>\n", it.x, it.y, it.mark, gap, inXML(it.text))
	}
}
