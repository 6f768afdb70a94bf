package guard

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestFollow(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]struct {
		groups []int
		bye    bool
	}{
		"":                         {nil, false},
		".\n":                      {nil, true},
		"+12\n+34\n":               {[]int{12, 34}, false},
		"+12\n-12\n+34\n-9\n":      {[]int{34}, false},
		"+12\n.\n+34\n":            {[]int{12}, true},
		"+12\n+3":                  {[]int{3, 12}, false},
		"+0\n+1\n+-5\n+x\n\n+\n12": {nil, false}, // none that could name others
		"-\n*12\n":                 {nil, false},
	} {
		groups, bye := follow(strings.NewReader(in))
		if got := slices.Sorted(maps.Keys(groups)); !slices.Equal(got, want.groups) || bye != want.bye {
			t.Errorf("%q: %v, %v", in, got, bye)
		}
	}
}

// FuzzFollow checks that no input names a group that a guard must not kill.
func FuzzFollow(f *testing.F) {
	f.Add("+12\n-12\n.\n")
	f.Add("+-1\n+0\n")
	f.Fuzz(func(t *testing.T, in string) {
		groups, _ := follow(strings.NewReader(in))
		for g := range groups {
			if g <= 1 {
				t.Fatalf("%q: %d", in, g)
			}
		}
	})
}
