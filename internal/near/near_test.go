package near

import "testing"

func TestTo(t *testing.T) {
	t.Parallel()
	names := []string{"gzip", "gunzip", "ls", "name", "grep", "e-mail"}
	for written, want := range map[string]string{
		"gzp": "gzip", "gizp": "gzip", "GZIP": "gzip", "nmae": "name", "email": "e-mail", "gerp": "grep",
		"gzip": "", "x": "", "sl": "ls", "quite other": "", "": "", "gunzipp": "gunzip",
	} {
		if got := To(written, names); got != want {
			t.Errorf("%q: %q, want %q", written, got, want)
		}
	}
}
