package graph

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"html"
	"image"
	_ "image/png"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// browser is a Chromium or Chrome, "" if there is none. scripts/chromium
// installs one.
func browser() string {
	for _, name := range []string{
		os.Getenv("CHROMIUM"), "chromium", "chromium-browser", "google-chrome", "google-chrome-stable",
		"/Applications/Google Chrome.app/Contents/MacOS/Google Chrome", "/Applications/Chromium.app/Contents/MacOS/Chromium",
	} {
		if name == "" {
			continue
		}
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// browse runs the browser on a page with no network, and returns what it
// prints and what it logs.
func browse(t *testing.T, file string, flags ...string) (out, logged string) {
	t.Helper()
	path := browser()
	if path == "" {
		t.Skip("NOT TESTED: pages in a browser: there is no Chromium; scripts/chromium installs one")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	profile, err := os.MkdirTemp("", "weft-browser-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(profile) // helpers of the browser may write to it a moment longer
	args := append([]string{
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars", "--disable-background-networking",
		"--host-resolver-rules=MAP * ~NOTFOUND", "--enable-logging=stderr", "--user-data-dir=" + profile,
	}, flags...)
	cmd := exec.CommandContext(ctx, path, append(args, "file://"+filepath.ToSlash(file))...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", path, err, stderr.Bytes())
	}
	return stdout.String(), stderr.String()
}

// probe is put into a page: it notes errors, looks at the page when it has been
// drawn, sorts a table, and tells the page around it.
const probe = `<script>
const errors = [];
addEventListener("error", e => errors.push("error: " + e.message));
addEventListener("unhandledrejection", e => errors.push("rejection: " + e.reason));
addEventListener("securitypolicyviolation", e => errors.push("loads " + e.blockedURI + " against " + e.violatedDirective));
console.error = console.warn = (...a) => errors.push("console: " + a.join(" "));
// Not requestAnimationFrame: frames that are out of sight are not animated.
addEventListener("load", () => setTimeout(() => {
  const box = e => e.getBoundingClientRect();
  const text = id => document.getElementById(id)?.textContent ?? "";
  const over = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 3;
  let overlaps = [], outside = [], boxes = 0, texts = 0;
  for (const svg of document.querySelectorAll("svg")) {
    if (box(svg).height === 0) continue;
    const all = [...svg.querySelectorAll("text")].map(e => [box(e), e.textContent]).sort((a, b) => a[0].top - b[0].top);
    texts += all.length;
    all.forEach(([a, s], i) => {
      for (let j = i + 1; j < all.length && all[j][0].top < a.bottom; j++)
        if (over(a, all[j][0])) overlaps.push(s + " | " + all[j][1]);
    });
    for (const g of svg.querySelectorAll("g.t")) {
      const rect = box(g.querySelector("rect"));
      boxes++;
      for (const e of g.querySelectorAll(":scope > text")) {
        const a = box(e);
        if (a.left < rect.left - 1 || a.right > rect.right + 1 || a.bottom > rect.bottom + 2) outside.push(e.textContent);
      }
      if (rect.right > box(svg).right + 1 || rect.bottom > box(svg).bottom + 1) outside.push("a box");
    }
  }
  const table = document.getElementById("slowest-table");
  const column = () => [...table.tBodies[0].rows].map(r => Number(r.cells[1].dataset.v));
  let sorted = [];
  if (table) {
    const head = table.tHead.rows[0].cells[1].querySelector("button");
    head.click(); sorted.push(column());
    head.click(); sorted.push(column());
  }
  const heights = {};
  for (const s of document.querySelectorAll("header, section")) heights[s.id || "header"] = box(s).height;
  parent.postMessage({
    page: document.title + " " + innerWidth, errors, heights, boxes, texts, sorted,
    overlaps: overlaps.slice(0, 5), outside: outside.slice(0, 5),
    width: innerWidth, wide: document.documentElement.scrollWidth,
    tasks: text("total-tasks"), verdict: text("verdict"), runError: text("run-error"),
    marks: document.querySelectorAll("#timeline-chart .task").length, together: document.querySelectorAll("#timeline-chart .many").length,
    failures: document.querySelectorAll("#errors .failure").length, notes: text("timeline"),
    pictures: [...document.querySelectorAll(".picture")].filter(e => box(e).height > 0).map(e => e.id),
    memory: box(document.getElementById("memory-chart") ?? document.head).height,
    font: document.fonts.status,
  }, "*");
}, 0));
</script>`

// seenPage is what the probe tells.
type seenPage struct {
	Page                     string
	Errors                   []string
	Heights                  map[string]float64
	Boxes, Texts             int
	Sorted                   [][]int64
	Overlaps, Outside        []string
	Width, Wide              float64
	Tasks, Verdict, RunError string
	Marks, Together          int
	Failures                 int
	Notes                    string
	Pictures                 []string
	Memory                   float64
}

// TestReportInBrowser opens pages in a browser, on a wide screen and at the
// width of a phone, and looks at what is drawn.
func TestReportInBrowser(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a browser")
	}
	nasty := fakePipeline(9, 2)
	nasty.Graph = `</title><script>throw "x"</script>`
	for i, name := range []string{`<img src=x onerror="throw 1">`, `"><script>throw 2</script>`, "日本語の名前がとても長いときにはどうなるか", strings.Repeat("long", 100), "&amp;'\"\\"} {
		nasty.Tasks[i+1].Name, nasty.Tasks[i+1].Group, nasty.Tasks[i+1].Err = name, name, name
	}
	records := map[string]*Record{
		"small": fakePipeline(9), "failed": fakeWide(100, 3, 40), "random": fakeRandom(25, 20), "nasty": nasty,
		"large": fakePipeline(34_000), "nothing": {},
	}
	dir := t.TempDir()
	begin := time.Now()
	var around strings.Builder
	around.WriteString(`<!DOCTYPE html><body><script>addEventListener("message", e => { const p = document.createElement("pre"); p.textContent = JSON.stringify(e.data); document.body.append(p); });</script>`)
	// On the wide screen those that differ there.
	widths := map[string][]int{"small": {390, 1200}, "failed": {390, 1200}, "random": {1200}, "nasty": {390}, "large": {390}, "nothing": {390}}
	for name, r := range records {
		var b bytes.Buffer
		if err := writeHTML(&b, r); err != nil {
			t.Fatal(err)
		}
		if b.Len() > 2<<20 {
			t.Errorf("%s: the page has %d bytes", name, b.Len())
		}
		page := strings.ReplaceAll(strings.ReplaceAll(b.String(), "url(#", ""), "href=\"#", "")
		for _, outside := range []string{"src=\"", "href=", "url(", "@import", "fetch(", "<link", "<img", "<iframe", "<object"} {
			if strings.Contains(page, outside) {
				t.Errorf("%s: the page has %s, which refers to something outside", name, outside)
			}
		}
		text := strings.Replace(b.String(), "<title>", probe+"<title>"+name+" ", 1)
		if err := os.WriteFile(filepath.Join(dir, name+".html"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, w := range widths[name] {
			fmt.Fprintf(&around, `<iframe src="%s.html" width="%d" height="800"></iframe>`, name, w)
		}
	}
	file := filepath.Join(dir, "around.html")
	if err := os.WriteFile(file, []byte(around.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Logf("the pages took %v", time.Since(begin))
	begin = time.Now()
	out, logged := browse(t, file, "--virtual-time-budget=10000", "--dump-dom")
	t.Logf("the browser took %v", time.Since(begin))
	for l := range strings.Lines(logged) {
		if strings.Contains(l, "CONSOLE") {
			t.Errorf("the browser says: %s", l)
		}
	}
	seen := map[string]seenPage{}
	for _, m := range regexp.MustCompile(`(?s)<pre>(.*?)</pre>`).FindAllStringSubmatch(out, -1) {
		var p seenPage
		if err := json.Unmarshal([]byte(html.UnescapeString(m[1])), &p); err != nil {
			t.Fatalf("%v: %s", err, m[1])
		}
		name, _, _ := strings.Cut(p.Page, " ")
		seen[fmt.Sprintf("%s %.0f", name, p.Width)] = p
	}
	for name, r := range records {
		for _, w := range widths[name] {
			key := fmt.Sprintf("%s %d", name, w)
			p, ok := seen[key]
			if !ok {
				t.Errorf("%s: the page told nothing", key)
				continue
			}
			p.check(t, key, r)
		}
	}
}

// check compares what was seen with the record.
func (p *seenPage) check(t *testing.T, key string, r *Record) {
	t.Helper()
	tasks, ran, failed := 0, 0, 0
	for i := range r.Tasks {
		k := &r.Tasks[i]
		if k.Kind != KindConst {
			tasks++
		}
		if k.Attempts > 0 {
			ran++
		}
		if k.Err != "" || k.State == StateFailed {
			failed++
		}
	}
	if len(p.Errors) > 0 {
		t.Errorf("%s: errors: %q", key, p.Errors)
	}
	if len(p.Overlaps) > 0 || len(p.Outside) > 0 {
		t.Errorf("%s: texts overlap: %q, or are outside of their boxes: %q", key, p.Overlaps, p.Outside)
	}
	if p.Wide > p.Width {
		t.Errorf("%s: the page is %v wide", key, p.Wide)
	}
	if p.Tasks != number(tasks) {
		t.Errorf("%s: %s tasks are shown, want %d", key, p.Tasks, tasks)
	}
	if failed != p.Failures || (r.Err != "") != strings.Contains(p.Verdict, "failed") || clean(r.Err) != p.RunError {
		t.Errorf("%s: %d failures, verdict %q, error %q; want %d and %q", key, p.Failures, p.Verdict, p.RunError, failed, r.Err)
	}
	if len(p.Pictures) != 1 {
		t.Errorf("%s: pictures %v can be seen, want one", key, p.Pictures)
	}
	if ran == 0 {
		return
	}
	for _, s := range []string{"header", "timeline", "critical", "memory", "graph", "groups", "slowest"} {
		if p.Heights[s] < 80 {
			t.Errorf("%s: the section %s is %v high", key, s, p.Heights[s])
		}
	}
	if p.Memory < 100 || p.Boxes == 0 || p.Texts < 10 {
		t.Errorf("%s: memory curve %v high, %d boxes, %d texts", key, p.Memory, p.Boxes, p.Texts)
	}
	switch {
	case ran <= mostMarks && p.Marks != ran:
		t.Errorf("%s: %d marks in the timeline for %d tasks", key, p.Marks, ran)
	case ran > mostMarks && (p.Marks > mostRows*plotWide || p.Together == 0 || !strings.Contains(p.Notes, "drawn as one")):
		t.Errorf("%s: %d marks, %d of several tasks, for %d tasks", key, p.Marks, p.Together, ran)
	}
	if len(p.Sorted) != 2 {
		t.Fatalf("%s: the table is not sorted", key)
	}
	for i, ns := range p.Sorted {
		if len(ns) != min(ran, mostSlowest) {
			t.Errorf("%s: %d rows, want %d", key, len(ns), min(ran, mostSlowest))
		}
		for k := 1; k < len(ns); k++ {
			if down := i == 0; down && ns[k] > ns[k-1] || !down && ns[k] < ns[k-1] {
				t.Fatalf("%s: not sorted: %v", key, ns)
			}
		}
	}
}

// TestReportScreenshot holds that something is to be seen.
func TestReportScreenshot(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a browser")
	}
	dir := t.TempDir()
	file, shot := filepath.Join(dir, "page.html"), filepath.Join(dir, "page.png")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := writeHTML(f, fakePipeline(20)); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	browse(t, file, "--window-size=1000,1400", "--screenshot="+shot)
	in, err := os.Open(shot)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	img, _, err := image.Decode(io.Reader(in))
	if err != nil {
		t.Fatal(err)
	}
	counts := map[rgb]int{}
	size := img.Bounds()
	for y := size.Min.Y; y < size.Max.Y; y++ {
		for x := size.Min.X; x < size.Max.X; x++ {
			r, g, b, _ := img.At(x, y).RGBA()
			counts[rgb{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8)}]++
		}
	}
	pixels := size.Dx() * size.Dy()
	if len(counts) < 50 || pixels < 1000*1000 {
		t.Errorf("%d colours in %v", len(counts), size)
	}
	for _, c := range groupColors[:2] {
		if counts[c] < pixels/1000 {
			t.Errorf("the colour %v of the timeline has %d pixels", c, counts[c])
		}
	}
}
