package dtype

import (
	"bytes"
	"strings"
	"testing"
)

func TestCodes(t *testing.T) {
	t.Parallel()
	for k := Float64; k.valid(); k++ {
		if got, err := Named(k.String()); err != nil || got != k {
			t.Errorf("%s: %v, %v", k, got, err)
		}
		for _, big := range []bool{false, true} {
			got, order, err := Parse(k.Code(big))
			if err != nil || got != k || order != (big && k.Size() > 1) {
				t.Errorf("%s: %v, %v, %v", k.Code(big), got, order, err)
			}
		}
	}
	for _, code := range []string{"", "<", "f8", "<f2", "|f8", "<f80", "<M8[ns]", "|O"} {
		if _, _, err := Parse(code); err == nil || !strings.Contains(err.Error(), Supported) {
			t.Errorf("%q: %v", code, err)
		}
	}
	if _, err := Named("float16"); err == nil {
		t.Error("float16 is known")
	}
	if got := Kind(99).String(); got != "kind 99" {
		t.Error(got)
	}
}

func TestMend(t *testing.T) {
	t.Parallel()
	words := []int32{0x01020304, -1}
	Mend(words, !BigMachine)
	if words[0] != 0x04030201 || words[1] != -1 {
		t.Errorf("%x", words)
	}
	pair := []complex128{complex(1, 2)}
	before := bytes.Clone(Bytes(pair))
	Complex128.Turn(Bytes(pair), !BigMachine)
	for i := range 8 {
		if b := Bytes(pair); b[i] != before[7-i] || b[8+i] != before[15-i] {
			t.Fatalf("%x after %x", b, before)
		}
	}
	yes := make([]bool, 3)
	copy(Bytes(yes), []byte{0, 1, 200})
	Mend(yes, false)
	if b := Bytes(yes); b[0] != 0 || b[1] != 1 || b[2] != 1 {
		t.Errorf("%v", b)
	}
	if Bytes([]float64{}) != nil {
		t.Error("bytes of nothing")
	}
}
