package spill

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"reflect"
	"strings"
	"testing"
)

type part struct {
	Name   string
	Nums   []float64
	Counts map[string]int
	Blob   []byte
	Next   *part
}

func random(rng *rand.Rand) part {
	p := part{Name: strings.Repeat("x", rng.IntN(50)), Nums: make([]float64, rng.IntN(20000)), Blob: make([]byte, rng.IntN(100000)), Counts: map[string]int{"a": rng.Int()}}
	for i := range p.Nums {
		p.Nums[i] = rng.Float64()
	}
	if rng.IntN(2) == 0 {
		p.Next = &part{Name: "next", Nums: []float64{1}, Blob: []byte("b"), Counts: map[string]int{}}
	}
	return p
}

// What is written comes back, in any order, while places are given away and
// taken again; and the file does not grow beyond what is in use at a time by
// much.
func TestBackAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	type kept struct {
		ref Ref
		v   part
	}
	var all []kept
	for range 400 {
		if len(all) < 5 || rng.IntN(2) == 0 && len(all) < 20 {
			v := random(rng)
			ref, err := s.Write(reflect.ValueOf(&v).Elem())
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, kept{ref, v})
			continue
		}
		i := rng.IntN(len(all))
		var got part
		if err := s.Read(all[i].ref, reflect.ValueOf(&got).Elem()); err != nil || !reflect.DeepEqual(got, all[i].v) {
			t.Fatalf("%v, %v", got.Name, err)
		}
		s.Forget(all[i].ref)
		all[i] = all[len(all)-1]
		all = all[:len(all)-1]
	}
	if most := int64(20*260000) * 2; s.end > most {
		t.Errorf("the file has %d bytes, with at most 20 results of 260 kB in it", s.end)
	}
	for _, k := range all {
		s.Forget(k.ref)
	}
	if s.Held() != 0 || len(s.free) != 1 || s.free[0].size != s.end {
		t.Errorf("%d bytes in use, free: %v of %d", s.Held(), s.free, s.end)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left over: %v", left)
	}
}

func TestDamageIsSeen(t *testing.T) {
	t.Parallel()
	s, err := Create(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	v := random(rand.New(rand.NewPCG(3, 4)))
	ref, err := s.Write(reflect.ValueOf(&v).Elem())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range ref.pieces {
		var b [1]byte
		at := p.at + p.size/2
		if _, err := s.f.ReadAt(b[:], at); err != nil {
			t.Fatal(err)
		}
		if _, err := s.f.WriteAt([]byte{b[0] ^ 4}, at); err != nil {
			t.Fatal(err)
		}
		var got part
		if err := s.Read(ref, reflect.ValueOf(&got).Elem()); !errors.Is(err, ErrDamaged) {
			t.Errorf("a flipped bit: %v", err)
		}
		if _, err := s.f.WriteAt(b[:], at); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.f.(*os.File).Truncate(s.end - 1); err != nil {
		t.Fatal(err)
	}
	var got part
	if err := s.Read(ref, reflect.ValueOf(&got).Elem()); !errors.Is(err, ErrDamaged) {
		t.Errorf("cut off: %v", err)
	}
}

func TestNoEncoding(t *testing.T) {
	t.Parallel()
	s, err := Create(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	v := struct{ F func() }{}
	if _, err := s.Write(reflect.ValueOf(&v).Elem()); !errors.Is(err, ErrEncode) || !strings.Contains(err.Error(), "F") {
		t.Errorf("%v", err)
	}
	if s.Held() != 0 {
		t.Errorf("%d bytes in use", s.Held())
	}
	if _, err := Create(t.TempDir() + "/none"); err == nil {
		t.Error("a directory that is not there")
	}
}

// Whatever the bytes are, reading them is an error or a value, and takes no more
// memory than they have.
func FuzzDecode(f *testing.F) {
	v := random(rand.New(rand.NewPCG(5, 6)))
	v.Nums, v.Blob = v.Nums[:min(3, len(v.Nums))], []byte("blob")
	s, err := Create(f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	defer s.Close()
	ref, err := s.Write(reflect.ValueOf(&v).Elem())
	if err != nil {
		f.Fatal(err)
	}
	b := make([]byte, ref.pieces[len(ref.pieces)-1].size)
	if _, err := s.f.ReadAt(b, ref.pieces[len(ref.pieces)-1].at); err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		var got part
		err := decode(bytes.Clone(b), 2, func(i int) ([]byte, error) { return []byte{1, 2, 3, 4, 5, 6, 7, 8}, nil }, reflect.ValueOf(&got).Elem())
		if err != nil && !errors.Is(err, ErrDamaged) {
			t.Errorf("%v", err)
		}
	})
}
