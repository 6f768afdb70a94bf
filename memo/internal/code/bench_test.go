package code

import (
	"fmt"
	"runtime/debug"
	"strings"
	"testing"
	"testing/fstest"
)

// large is a module of 200 files and 4000 functions, of which all are reached.
func large() (Module, *debug.BuildInfo) {
	files := fstest.MapFS{}
	calls, imports := "", ""
	for p := range 20 {
		imports += fmt.Sprintf("\t\"example.com/large/p%d\"\n", p)
		calls += fmt.Sprintf("\tn += p%d.F0x0(n)\n", p)
		for f := range 10 {
			var b strings.Builder
			fmt.Fprintf(&b, "package p%d\n\nimport \"strings\"\n\ntype T%d struct{ name string; n int }\n\nfunc (t *T%d) Add(n int) int { t.n += n; return t.n }\n", p, f, f)
			for i := range 20 {
				next := fmt.Sprintf("F%dx%d", f, i+1)
				if i == 19 {
					next = fmt.Sprintf("F%dx0", (f+1)%10)
				}
				fmt.Fprintf(&b, "\n// F%dx%d is one of many.\nfunc F%dx%d(n int) int {\n\tt := T%d{name: strings.Repeat(\"x\", n%%3), n: n}\n\tfor i := range 3 {\n\t\tif i %% 2 == 0 {\n\t\t\tn += t.Add(i)\n\t\t} else {\n\t\t\tn -= len(t.name)\n\t\t}\n\t}\n\treturn %s(n)\n}\n", f, i, f, i, f, next)
			}
			files[fmt.Sprintf("p%d/f%d.go", p, f)] = &fstest.MapFile{Data: []byte(b.String())}
		}
	}
	files["main.go"] = &fstest.MapFile{Data: []byte("package main\n\nimport (\n" + imports + ")\n\nfunc All(n int) int {\n" + calls + "\treturn n\n}\n\nfunc main() { All(1) }\n")}
	return Module{"example.com/large", files}, &debug.BuildInfo{GoVersion: "go1.26", Path: "example.com/large", Main: debug.Module{Path: "example.com/large"}}
}

// BenchmarkLarge finds the code of a function that reaches 200 files.
func BenchmarkLarge(b *testing.B) {
	m, info := large()
	for b.Loop() {
		if id := New([]Module{m}, info).Of("main.All"); id.Gap != "" || len(id.Parts) < 4000 {
			b.Fatal(id.Gap, len(id.Parts))
		}
	}
}
