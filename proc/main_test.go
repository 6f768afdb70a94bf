package proc_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/weft-go/weft/proc"
)

func TestMain(m *testing.M) {
	proc.Init()
	code := m.Run()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			println(err.Error())
			code = 1
		}
	}
	os.Exit(code)
}
