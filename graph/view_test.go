package graph

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

var rewrite = flag.Bool("rewrite", false, "write the files in testdata anew")

// drawers are the ways to draw a graph.
var drawers = map[string]func(io.Writer, *Record, Color) error{"dot": Dot, "mmd": Mermaid, "svg": SVG}

func drawnAs(t *testing.T, ext string, r *Record, by Color) string {
	t.Helper()
	var b bytes.Buffer
	if err := drawers[ext](&b, r, by); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestGolden compares small pictures with testdata.
func TestGolden(t *testing.T) {
	t.Parallel()
	small := fakePipeline(3, 1)
	unrun := fakeDiamonds(2)
	unrun.Ran = false
	for i := range unrun.Tasks {
		k := &unrun.Tasks[i]
		k.State, k.Start, k.End, k.Attempts, k.Worker, k.Bytes = StateWaiting, 0, 0, 0, -1, 0
	}
	for name, g := range map[string]struct {
		r  *Record
		by Color
	}{
		"failed-state": {small, ByState}, "time": {fakeFan(3), ByTime}, "unrun-order": {unrun, ByOrder},
		"grouped-state": {fakeWide(2000, 77), ByState}, "block-time": {fakeFan(14), ByTime},
	} {
		for ext := range drawers {
			got := drawnAs(t, ext, g.r, g.by)
			file := filepath.Join("testdata", "view", name+"."+ext)
			if *rewrite {
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != strings.ReplaceAll(string(want), "\r\n", "\n") {
				t.Errorf("%s differs; if that is right, run go test ./graph -run Golden -rewrite and read the difference:\n%s", file, got)
			}
		}
	}
}

// svgShape is what a test reads of an SVG.
type svgShape struct {
	titles []string
	texts  []string
	tags   map[string]int
}

func readSVG(t *testing.T, text string) svgShape {
	t.Helper()
	s := svgShape{tags: map[string]int{}}
	d := xml.NewDecoder(strings.NewReader(text))
	var open []string
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return s
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			open = append(open, tok.Name.Local)
			s.tags[tok.Name.Local]++
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			if len(open) > 0 && open[len(open)-1] == "title" {
				s.titles = append(s.titles, string(tok))
			}
			if len(open) > 0 && open[len(open)-1] == "text" {
				s.texts = append(s.texts, string(tok))
			}
		}
	}
}

// TestEveryTaskIsDrawn counts: up to 500 tasks each is in the picture, beyond
// that each group with the number of its tasks.
func TestEveryTaskIsDrawn(t *testing.T) {
	t.Parallel()
	for name, r := range fakes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tasks, groups := 0, map[string]int{}
			for i := range r.Tasks {
				if r.Tasks[i].Kind != KindConst {
					tasks++
					groups[r.Tasks[i].Group]++
				}
			}
			svg := readSVG(t, drawnAs(t, "svg", r, ByState))
			shown := 0
			for _, title := range svg.titles {
				if strings.Contains(title, "\ntask ") {
					shown++
				}
			}
			dot := regexp.MustCompile(`(?m)^\tn\d+ \[`).FindAllString(drawnAs(t, "dot", r, ByState), -1)
			switch {
			case tasks <= mostBoxes && (shown != tasks || len(dot) < tasks):
				t.Errorf("%d tasks, %d in the SVG, %d nodes of Dot", tasks, shown, len(dot))
			case tasks > mostBoxes:
				for g, n := range groups {
					want := fmt.Sprintf("%s\n%s: ", clean(g), counted(n, "task"))
					found := false
					for _, title := range svg.titles {
						found = found || strings.HasPrefix(title, want)
					}
					if !found {
						t.Errorf("no box says %q", want)
					}
				}
				if len(dot) != len(groups) {
					t.Errorf("%d groups, %d nodes of Dot", len(groups), len(dot))
				}
			}
		})
	}
}

// TestArrowsAreKept holds that blocks lose no arrow: but for those of folds and
// trees, all can be read back from the arrows between blocks and those within
// chains.
func TestArrowsAreKept(t *testing.T) {
	t.Parallel()
	for name, r := range fakes() {
		p, err := newPicture("Test", io.Discard, r, ByOrder, mostBoxes, mostArrows)
		if err != nil {
			t.Fatal(err)
		}
		d := newDrawing(p)
		want, got := map[[2]int]bool{}, map[[2]int]bool{}
		coarse := func(b int) bool { return d.blocks[b].fold || !straight(d.blocks[b].parent) }
		wantFolds, gotFolds := map[[2]int]bool{}, map[[2]int]bool{} // between blocks
		for _, a := range p.arrows {
			from, to := d.of[a.from], d.of[a.to]
			if from != to && (coarse(from) || coarse(to)) {
				wantFolds[[2]int{from, to}] = true
			} else if !d.blocks[to].fold {
				want[[2]int{a.from, a.to}] = true
			}
		}
		for _, a := range d.arrows {
			if coarse(a.from) || coarse(a.to) {
				gotFolds[[2]int{a.from, a.to}] = true
				continue
			}
			for _, from := range d.blocks[a.from].chains {
				for _, to := range d.blocks[a.to].chains {
					got[[2]int{from[len(from)-1], to[0]}] = true
				}
			}
		}
		boxes := 0
		for _, b := range d.blocks {
			for _, c := range b.chains {
				boxes += len(c)
				for i := 1; i < len(c) && !b.fold; i++ {
					got[[2]int{c[b.parent[i]], c[i]}] = true
				}
			}
			if b.fold {
				for i, x := range b.chains[0] {
					if k := &r.Tasks[p.boxes[x].tasks[0]]; k.Kind != KindReduce || i > 0 && !slices.Contains(k.Inputs, p.boxes[b.chains[0][i-1]].tasks[0]) {
						t.Errorf("%s: a step does not take the one before: %+v", name, k)
					}
				}
			}
		}
		if boxes != len(p.boxes) || !maps.Equal(got, want) || !maps.Equal(gotFolds, wantFolds) {
			t.Errorf("%s: %d boxes became %d, %d arrows %d, of folds %d %d", name, len(p.boxes), boxes, len(want), len(got), len(wantFolds), len(gotFolds))
		}
	}
}

// TestPicturesStaySmall holds that the size of a picture does not grow with the
// number of tasks once they are grouped, even with a group for each.
func TestPicturesStaySmall(t *testing.T) {
	t.Parallel()
	r := fakeRandom(100, 50)
	for i := range r.Tasks {
		r.Tasks[i].Group = fmt.Sprintf("group %d", i)
	}
	for ext := range drawers {
		text := drawnAs(t, ext, r, ByTime)
		if len(text) > 1<<20 || !strings.Contains(text, "smaller groups") {
			t.Errorf("%s: %d bytes", ext, len(text))
		}
	}
	mmd := drawnAs(t, "mmd", fakeRandom(25, 10), ByTime)
	if n := strings.Count(mmd, "-->"); n > mermaidArrows || len(mmd) > 50_000 {
		t.Errorf("Mermaid draws no more than 500 edges and 50,000 characters: %d and %d", n, len(mmd))
	}
}

func TestBrokenRecords(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		r    *Record
		by   Color
		want string
	}{
		{nil, ByOrder, "(nil): give a *Record"},
		{&Record{Tasks: []Task{{Inputs: []int{0}}}}, ByOrder, "task 0 of 1 has input 0"},
		{&Record{Tasks: []Task{{}, {Inputs: []int{-1}}}}, ByOrder, "task 1 of 2 has input -1"},
		{&Record{Asked: []int{3}}, ByOrder, "Asked has 3, and there are 0 tasks"},
		{&Record{Tasks: []Task{{}}, Critical: []int{1}}, ByOrder, "Critical has 1, and there are 1 tasks"},
		{&Record{}, ByTime + 1, "Color(3) is no way to colour"},
	} {
		for ext, draw := range drawers {
			if err := draw(io.Discard, test.r, test.by); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: %v, want %q", ext, err, test.want)
			}
		}
		if test.by > ByTime {
			continue
		}
		for _, write := range []func(io.Writer, *Record) error{writeTrace, writeHTML} {
			if err := write(io.Discard, test.r); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		}
	}
	for ext, draw := range drawers {
		if err := draw(nil, &Record{}, ByOrder); err == nil || !strings.Contains(err.Error(), "the writer is nil") {
			t.Errorf("%s: %v", ext, err)
		}
	}
}

// odd is a record whose numbers are all out of range but for places.
func odd(name string) *Record {
	return &Record{
		Graph: name, Ran: true, Workers: -3, Took: -5, Budget: -1, Err: name, Asked: []int{2}, Critical: []int{0, 2},
		Memory: []Sample{{At: -1, Bytes: -7, Disk: -1}, {At: 1 << 62, Bytes: 1 << 62}},
		Tasks: []Task{
			{ID: -1, Name: name, Group: name, Kind: KindConst, Order: -1, Worker: -1, Bytes: -5},
			{ID: 1, Name: name, Group: name, Kind: 200, Inputs: []int{0, 0}, State: 99, Start: 9, End: 3, Worker: 1 << 20, Attempts: -1, Bytes: 1 << 62, Err: name},
			{ID: 2, Name: name + "2", Kind: KindMap, Inputs: []int{1, 1, 0}, State: StateFailed, Start: -5, End: 3, Worker: 300, Attempts: 2, Bytes: -1, Err: name},
		},
	}
}

// skeleton is the markup of a text: what opens tags and what bounds attributes.
// In names these characters are escaped.
func skeleton(text string) string {
	return strings.Join(regexp.MustCompile(`<[/!]?[a-zA-Z]*|["']`).FindAllString(text, -1), "")
}

// FuzzNames holds that no name, whatever is in it, is read as anything but
// text.
func FuzzNames(f *testing.F) {
	for _, s := range []string{
		"", "plain", "=", `"`, `\`, `a\"b\n`, "<script>alert(1)</script>", "</title><b>", "]]>", "&amp; &#60; &lt", "a\x00b\xff\ufffe\u2028",
		"x\"]; evil [label=\"", "%%{init: {\"theme\":\"dark\"}}%%", "end", "1. list", "- item", "`md`", "#quot;", "'; x", "\u202eright", "javascript:x", "日本語の名前がとても長いときにはどうなるか", "{{.Style}}", "<!--", "*/}</style>",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		r := odd(name)
		for by := ByOrder; by <= ByTime; by++ {
			svg := drawnAs(t, "svg", r, by)
			found := 0
			for _, title := range readSVG(t, svg).titles {
				first, _, _ := strings.Cut(title, "\n")
				if first == strings.ReplaceAll(clean(name), "\r", "") || first == clean(name)+"2" {
					found++
				}
			}
			if found < 3 {
				t.Errorf("%q is in %d titles of three tasks\n%s", name, found, svg)
			}
			checkDot(t, drawnAs(t, "dot", r, by), name)
			checkMermaid(t, drawnAs(t, "mmd", r, by))
		}
		checkTrace(t, r)
		var got, want bytes.Buffer
		if err := writeHTML(&got, r); err != nil {
			t.Fatal(err)
		}
		plain := "a"
		if clean(name) == "" {
			plain = ""
		}
		if err := writeHTML(&want, odd(plain)); err != nil {
			t.Fatal(err)
		}
		if g, w := skeleton(got.String()), skeleton(want.String()); g != w {
			t.Errorf("the name %q changes the markup of the page", name)
		}
	})
}

// checkDot reads nodes as Graphviz does: in quotes only \" and \\ matter.
func checkDot(t *testing.T, text, name string) {
	t.Helper()
	var strs []string
	var outside strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '"' {
			outside.WriteByte(text[i])
			continue
		}
		start := i + 1
		for i++; i < len(text) && text[i] != '"'; i++ {
			if text[i] == '\\' {
				i++
			}
		}
		if i >= len(text) {
			t.Fatalf("a quote does not end:\n%s", text)
		}
		strs = append(strs, text[start:i])
	}
	line := regexp.MustCompile(`^(digraph weft \{|\}|\tlabel=; labelloc=t; fontname=;|\t(node|edge) \[[^\]]*\];|\tn\d+ \[[a-z]+=[^;]*\];|\tn\d+ -> n\d+( \[[^;]*\])?;|)$`)
	for _, l := range strings.Split(outside.String(), "\n") {
		if !line.MatchString(l) {
			t.Errorf("not a line of Dot: %q", l)
		}
	}
	want := strings.TrimSuffix(strings.TrimPrefix(inDot(clean(name)), `"`), `"`)
	found := 0
	for _, s := range strs {
		if strings.HasPrefix(s, want) {
			found++
		}
	}
	if found < 3 {
		t.Errorf("%q is in %d tooltips of three tasks:\n%s", want, found, text)
	}
}

func checkMermaid(t *testing.T, text string) {
	t.Helper()
	line := regexp.MustCompile(`^(flowchart TD|%% [^{}]*|classDef c\d+ fill:#[0-9a-f]{6},color:#[0-9a-f]{6},stroke:#555555|n\d+(\[|\[\[|\(\[)"([^"<>%` + "`" + `\\&;]|#\d+;|<br/>)*"(\]|\]\]|\]\)):::c\d+|n\d+ -->(\|[0-9_]+\|)? n\d+|linkStyle [0-9,]+ stroke:#000000,stroke-width:3px|)$`)
	for _, l := range strings.Split(text, "\n") {
		if !line.MatchString(l) {
			t.Errorf("not a line of Mermaid: %q", l)
		}
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{"short": "short", "exactly ten": "exactly t…", "日本語の名前": "日本語の…", "": "", "e\u0301e\u0301": "e\u0301e\u0301"} {
		if got := cut(s, 10); got != want || columns(got) > 10 {
			t.Errorf("%q is cut to %q, want %q", s, got, want)
		}
	}
	if got := short("github.com/weft-go/weft/graph.sum", 20); got != "graph.sum" {
		t.Error(got)
	}
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.00 kB", 999_499: "999 kB", 999_500: "1.00 MB", 12_345_678: "12.3 MB", 1 << 62: "4.61 EB", -1 << 63: "-4.61 EB"} {
		if got := inBytes(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
	for most, want := range map[float64]string{0: "[0]", 1: "[0 0.2 0.4 0.6 0.8 1]", 7.9: "[0 1 2 3 4 5 6 7]", 105e6: "[0 2e+07 4e+07 6e+07 8e+07 1e+08]"} {
		if got := fmt.Sprintf("%.3g", ticks(most)); got != want {
			t.Errorf("ticks of %v: %s, want %s", most, got, want)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("a\nb\x00\xff\u202e\ufffe", 5)
	f.Fuzz(func(t *testing.T, s string, most int) {
		got := clean(s)
		if !utf8.ValidString(got) || strings.ContainsFunc(got, unicode.IsControl) || clean(got) != got {
			t.Errorf("%q becomes %q", s, got)
		}
		if most = min(max(most, 1), 1000); columns(cut(got, most)) > most {
			t.Errorf("%q cut to %d columns is %q", got, most, cut(got, most))
		}
		if err := xml.Unmarshal([]byte("<a b='"+inXML(got)+"'>"+inXML(got)+"</a>"), new(struct{})); err != nil {
			t.Errorf("%q: %v", got, err)
		}
	})
}

// TestRampGrowsDarker holds that order can be seen without colour.
func TestRampGrowsDarker(t *testing.T) {
	t.Parallel()
	last := 2.0
	for i := range 101 {
		c := ramp(float64(i) / 100)
		l := 0.2126*linear(c.r) + 0.7152*linear(c.g) + 0.0722*linear(c.b)
		if l >= last {
			t.Errorf("at %d %% the scale is as light as before: %v", i, c)
		}
		last = l
		// WCAG 2 asks for 4.5 for text.
		ink := 0.0
		if c.ink().r > 0x80 {
			ink = 1
		}
		if contrast := (max(l, ink) + 0.05) / (min(l, ink) + 0.05); contrast < 4.5 {
			t.Errorf("text on %v has a contrast of %.1f", c, contrast)
		}
	}
	for _, c := range rampColors {
		if back := fromOklab(toOklab(c)); back != c {
			t.Errorf("%v becomes %v in Oklab and back", c, back)
		}
	}
}
