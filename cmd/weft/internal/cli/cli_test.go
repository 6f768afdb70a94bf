package cli

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestValues(t *testing.T) {
	t.Parallel()
	type value interface{ UnmarshalText([]byte) error }
	var d duration
	var r rate
	var z size
	for _, c := range []struct {
		v    value
		text string
		want any // nil: refused
	}{
		{&d, "30s", duration(30 * time.Second)},
		{&d, "1h30m", duration(90 * time.Minute)},
		{&d, "90", duration(90 * time.Second)},
		{&d, "0.5", duration(time.Second / 2)},
		{&d, "0", nil},
		{&d, "-3s", nil},
		{&d, "NaN", nil},
		{&d, "1e300", nil},
		{&d, "soon", nil},
		{&d, "", nil},
		{&r, "10", rate(10)},
		{&r, "0.5/s", rate(0.5)},
		{&r, "300/m", rate(5)},
		{&r, "3600/h", rate(1)},
		{&r, "0", nil},
		{&r, "-1", nil},
		{&r, "NaN", nil},
		{&r, "Inf", nil},
		{&r, "5/d", nil},
		{&r, "", nil},
		{&z, "1024", size(1024)},
		{&z, "2G", size(2 << 30)},
		{&z, "2g", size(2 << 30)},
		{&z, "1.5GiB", size(3 << 29)},
		{&z, "512 MB", size(512 << 20)},
		{&z, "1kib", size(1024)},
		{&z, "0", nil},
		{&z, "-1G", nil},
		{&z, "G", nil},
		{&z, "1X", nil},
		{&z, "1GG", nil},
		{&z, "1e300T", nil},
		{&z, "", nil},
	} {
		err := c.v.UnmarshalText([]byte(c.text))
		var got any
		switch v := c.v.(type) {
		case *duration:
			got = *v
		case *rate:
			got = *v
		case *size:
			got = *v
		}
		switch {
		case c.want == nil && err == nil:
			t.Errorf("%T %q: %v, want an error", c.v, c.text, got)
		case c.want != nil && (err != nil || got != c.want):
			t.Errorf("%T %q: %v, %v", c.v, c.text, got, err)
		}
	}
}

func TestNegatives(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"map -j -1": "map --jobs=-1", "map --jobs -2 -k": "map --jobs=-2 -k", "map -j-1": "map --jobs=-1",
		"map -j 4": "map -j 4", "map -j --json": "map -j --json", "map -j": "map -j", "-1": "-1",
	} {
		if got := strings.Join(negatives(strings.Fields(in)), " "); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

// call runs the program in this process.
func call(t *testing.T, in string, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = Main(Env{In: strings.NewReader(in), Out: &o, Err: &e, Args: args, Environ: os.Environ()})
	return code, o.String(), e.String()
}

// TestMapInProcess leaves no goroutine behind, whatever happens; TestMain
// looks.
func TestMapInProcess(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in   string
		args string
		code int
		out  string
	}{
		{"a\nb\n", "map -n -- echo", 0, "echo a\necho b\n"},
		{"", "map -n -- echo", 0, ""},
		{"a\x00", "map -n -0 -- echo", 0, "echo a\n"},
		{"a\n" + strings.Repeat("b\n", 1000) + "\x00\n", "map -n --json -- echo {#}", 2, ""},
		{"x,y\n1,2\n", "map -n --csv - -- echo {y}", 0, "echo 2\n"},
		{"x,y\n1\n", "map -n --csv - -- echo {y}", 2, ""},
		{"", "map --nonsense", 2, ""},
		{"", "", 0, ""},
		{"", "map --help", 0, ""},
	} {
		code, out, errs := call(t, c.in, strings.Fields(c.args)...)
		if code != c.code || c.out != "" && out != c.out {
			t.Errorf("%s: %d, %q, %q", c.args, code, out, errs)
		}
		if (code == 2) != (errs != "") || strings.Count(errs, "weft:") > 1 {
			t.Errorf("%s: not one error: %q", c.args, errs)
		}
	}
}

// TestHelp checks that the help stays in step with the flags, and fits a
// terminal.
func TestHelp(t *testing.T) {
	t.Parallel()
	_, out, _ := call(t, "", "map", "--help")
	for _, flag := range []string{
		"--glob", "--csv", "--delimiter", "--[no-]header", "-0, --null", "-j, --jobs", "--timeout", "--rate", "--mem", "--shell",
		"--retries", "--halt", "--keep-going", "-u, --unordered", "--json", "--[no-]progress", "--explain", "-n, --dry-run", "--joblog", "--resume",
	} {
		if !strings.Contains(out, flag) {
			t.Errorf("%s is missing", flag)
		}
	}
	for line := range strings.Lines(out) {
		if len(line) > 101 {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
	if _, out, _ := call(t, ""); !strings.Contains(out, "map") {
		t.Errorf("help without a command: %q", out)
	}
}

func TestWithout(t *testing.T) {
	t.Parallel()
	env := []string{"A=1", "WEFT_RUN=x", "WEFT_RUNNER=y", "B=WEFT_RUN=z"}
	if got := without(env, "WEFT_RUN"); !slices.Equal(got, []string{"A=1", "WEFT_RUNNER=y", "B=WEFT_RUN=z"}) || len(env) != 4 || env[1] != "WEFT_RUN=x" {
		t.Errorf("%q", got)
	}
}
