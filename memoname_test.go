package weft_test

import (
	"context"
	"strings"
	"testing"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/memo"
)

func lengthOfName(_ context.Context, s string) (int, error) { return len(s), nil }

// A plan prints the function that was wrapped, not memo's closure around it.
func TestPlanNamesTheWrappedFunction(t *testing.T) {
	t.Parallel()
	cache, err := memo.Open(t.TempDir(), memo.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := cache.Close(); err != nil {
			t.Error(err)
		}
	}()
	var rep weft.Report
	got, err := weft.Map(t.Context(), []string{"a", "bcd"}, memo.Wrap(cache, lengthOfName), weft.ReportTo(&rep))
	if err != nil || len(got) != 2 || got[1] != 3 {
		t.Fatal(got, err)
	}
	if name := rep.Plan.Name; !strings.HasPrefix(name, "Map(") || !strings.HasSuffix(name, ".lengthOfName)") {
		t.Errorf("the plan is of %q, not of the wrapped function", name)
	}
}
