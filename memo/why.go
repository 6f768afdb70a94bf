package memo

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/weft-go/weft/memo/internal/code"
	"github.com/weft-go/weft/memo/internal/key"
)

// Cause is why a call would find its result or not.
type Cause string

const (
	// Hit is that the result is there.
	Hit Cause = "hit"
	// FirstCall is that the function has no results in the cache yet.
	FirstCall Cause = "first call"
	// Argument is that the function has not been called with this argument.
	Argument Cause = "argument"
	// FileChanged is that a File in the argument has another content.
	FileChanged Cause = "file"
	// Code is that there is a result of other code.
	Code Cause = "code"
	// Expired is that the result is too old: ExpiresAfter or Config.MaxAge.
	Expired Cause = "expired"
	// Evicted is that the result was removed because the cache was full.
	Evicted Cause = "evicted"
	// Damaged is that the result is there and can't be used.
	Damaged Cause = "damaged"
	// Invalid is that Validate turned the result down.
	Invalid Cause = "invalid"
	// Off is that the cache does nothing.
	Off Cause = "off"
)

// Reason says what a call would find, and why.
type Reason struct {
	Function string `json:"function"`
	Cause    Cause  `json:"cause"`
	// Detail says more, for people.
	Detail string `json:"detail,omitempty"`
	// Changed lists what is different where the cause is Code (functions,
	// types, dependencies, ...) or FileChanged.
	Changed []Change `json:"changed,omitempty"`
	// Level is how the function's code is minded, and Note why not better.
	Level Level  `json:"level"`
	Note  string `json:"note,omitempty"`
}

// Change is a difference between the code that ran and the code that would
// run.
type Change struct {
	// What is changed, added or removed.
	What string `json:"what"`
	// Kind is function, method, type, constant, variable, file, dependency or
	// build.
	Kind string `json:"kind"`
	Name string `json:"name"`
}

func (c Change) String() string { return c.Kind + " " + c.Name + " " + c.What }

// Hit tells whether the result is there.
func (r Reason) Hit() bool { return r.Cause == Hit }

// String puts the reason into one line.
func (r Reason) String() string {
	var b strings.Builder
	if r.Cause == Hit {
		fmt.Fprintf(&b, "hit: %s", r.Function)
	} else {
		fmt.Fprintf(&b, "miss: %s: %s", r.Function, r.Cause)
	}
	if r.Detail != "" {
		b.WriteString(": " + r.Detail)
	}
	if r.Cause == Off {
		return b.String()
	}
	fmt.Fprintf(&b, " (code: %v", r.Level)
	if r.Note != "" {
		b.WriteString(", as " + r.Note)
	}
	return b.String() + ")"
}

// why finds the reason.
func (w *wrapped[T, R]) why(arg T, id identity) (Reason, error) {
	r := Reason{Function: w.counted.name, Level: id.level, Note: id.note}
	k, a, err := w.key(arg, id)
	if err != nil {
		return r, err
	}
	cause, meta, err := w.look(k, nil)
	if err != nil {
		return r, err
	}
	r.Cause = cause
	switch cause {
	case Hit:
		return r, nil
	case Expired:
		r.Detail = fmt.Sprintf("made %s, last used %s", meta.Created.Format(time.DateTime), meta.Used.Format(time.DateTime))
		return r, nil
	case Damaged:
		r.Detail = meta.Key + ": " + meta.Args
		return r, nil
	case Invalid:
		r.Detail = "Validate turned it down"
		return r, nil
	}
	hash, err := key.Value(a.value, a.options)
	if err != nil {
		return r, &ArgumentError{w.counted.name, err}
	}
	if w.c.store.Evicted(k) {
		r.Cause, r.Detail = Evicted, "the cache was over its bounds"
		return r, nil
	}
	record := w.c.functionRecord(w.counted.name)
	for _, before := range a.befores() {
		old, err := a.with(before.hashes)
		if err == nil && w.there(id.code, old) {
			r.Cause, r.Detail, r.Changed = FileChanged, before.text, before.changes
			return r, nil
		}
	}
	for _, c := range record.Codes {
		old, err := key.Parse(c.Code)
		if err != nil || old == id.code || !w.there(old, hash) {
			continue
		}
		r.Cause = Code
		r.Changed, r.Detail = w.c.difference(c, id)
		return r, nil
	}
	if len(record.Codes) == 0 {
		r.Cause, r.Detail = FirstCall, "no result of this function is in the cache"
		return r, nil
	}
	r.Cause, r.Detail = Argument, "no result for this argument is in the cache"
	if old, err := key.Parse(record.Codes[0].Code); err == nil && old != id.code {
		_, text := w.c.difference(record.Codes[0], id)
		r.Detail += ", and the code is another than that of the last results: " + text
	}
	return r, nil
}

func (w *wrapped[T, R]) there(code, arg key.Key) bool {
	_, err := w.c.store.Head(w.keyFor(code, arg))
	return err == nil
}

// before is an argument as it was.
type before struct {
	hashes  map[string]string
	text    string
	changes []Change
}

// befores are the earlier contents of the files in an argument: each file by
// itself, then all of them.
func (a *argument) befores() []before {
	var out []before
	all := before{hashes: map[string]string{}}
	var texts []string
	for _, f := range a.files {
		for i, e := range f.Before {
			text := fmt.Sprintf("the content of %s has changed: %d bytes on %s, %d bytes on %s", f.Path,
				e.Size, time.Unix(0, e.Mtime).Format(time.DateTime), f.Size, time.Unix(0, f.Mtime).Format(time.DateTime))
			change := Change{"changed", "file", f.Path}
			out = append(out, before{map[string]string{f.Path: e.Hash}, text, []Change{change}})
			if i == 0 {
				all.hashes[f.Path] = e.Hash
				all.changes = append(all.changes, change)
				texts = append(texts, text)
			}
		}
	}
	if len(all.hashes) > 1 {
		all.text = strings.Join(texts, "; ")
		out = append(out, all)
	}
	return out
}

// difference says what is other code in id than in an earlier record.
func (c *Cache) difference(old codeRecord, id identity) ([]Change, string) {
	switch {
	case old.Level != id.level:
		return nil, fmt.Sprintf("the level was %v and is %v", old.Level, id.level)
	case id.level == Manual:
		return nil, "memo.Version has another value"
	case id.level == Build:
		return nil, "the program was built anew"
	}
	var before []code.Part
	if k, err := key.Parse(old.Code); err == nil {
		before = c.parts(k)
	}
	now := c.parts(id.code)
	if before == nil || now == nil {
		return nil, "what it was is not known any more"
	}
	changes := compare(before, now)
	if len(changes) == 0 {
		return nil, "no declaration differs"
	}
	const shown = 3
	var texts []string
	for _, ch := range changes[:min(shown, len(changes))] {
		texts = append(texts, ch.String())
	}
	text := strings.Join(texts, ", ")
	if n := len(changes) - shown; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	return changes, text
}

// compare lists the differences of two versions, changes first.
func compare(old, now []code.Part) []Change {
	type name struct{ kind, name string }
	hashes := func(parts []code.Part) map[name][]string {
		m := map[name][]string{}
		for _, p := range parts {
			m[name{p.Kind, p.Name}] = append(m[name{p.Kind, p.Name}], p.Hash)
		}
		return m
	}
	before, after := hashes(old), hashes(now)
	var out []Change
	for n, h := range after {
		switch was, ok := before[n]; {
		case !ok:
			out = append(out, Change{"added", n.kind, n.name})
		case !slices.Equal(was, h):
			out = append(out, Change{"changed", n.kind, n.name})
		}
	}
	for n := range before {
		if _, ok := after[n]; !ok {
			out = append(out, Change{"removed", n.kind, n.name})
		}
	}
	order := []string{"changed", "added", "removed"}
	slices.SortFunc(out, func(a, b Change) int {
		if a.What != b.What {
			return slices.Index(order, a.What) - slices.Index(order, b.What)
		}
		return strings.Compare(a.Name+a.Kind, b.Name+b.Kind)
	})
	return out
}

// CodeVersion is a version of the code of a function, as the cache remembers it.
type CodeVersion struct {
	Code  string    `json:"code"`
	Level Level     `json:"level"`
	Since time.Time `json:"since"`
	// Changed is what differs from the version before; empty for the first,
	// and where the level is not Exact.
	Changed []Change `json:"changed,omitempty"`
}

// Function is a function that has had results in a cache.
type Function struct {
	Function string        `json:"function"`
	Versions []CodeVersion `json:"versions"` // newest first
}

// Functions lists the functions that have had results in the cache, with how
// their code has changed.
func (c *Cache) Functions() ([]Function, error) {
	if c.store == nil {
		return nil, nil
	}
	var out []Function
	err := c.store.Records("n", func(_ string, b []byte) {
		var r functionRecord
		if json.Unmarshal(b, &r) != nil {
			return
		}
		f := Function{Function: r.Function}
		parts := make([][]code.Part, len(r.Codes))
		for i, k := range r.Codes {
			if code, err := key.Parse(k.Code); err == nil {
				parts[i] = c.parts(code)
			}
			f.Versions = append(f.Versions, CodeVersion{Code: k.Code, Level: k.Level, Since: k.Since})
		}
		for i := range len(r.Codes) - 1 {
			if parts[i] != nil && parts[i+1] != nil {
				f.Versions[i].Changed = compare(parts[i+1], parts[i])
			}
		}
		out = append(out, f)
	})
	slices.SortFunc(out, func(a, b Function) int { return strings.Compare(a.Function, b.Function) })
	if err != nil {
		err = fmt.Errorf("memo: read the cache in %s: %w", c.dir, err)
	}
	return out, err
}
