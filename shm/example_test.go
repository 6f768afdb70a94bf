package shm_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/weft-go/weft/shm"
)

func ExampleMake() {
	data, err := shm.Make[float64](1000)
	if err != nil {
		log.Fatal(err)
	}
	defer data.Close()
	for i := range data.Slice() {
		data.Slice()[i] = float64(i)
	}
	fmt.Println(data.Len(), data.Slice()[999])

	_, err = shm.Make[struct{ Name string }](1)
	fmt.Println(err)
	// Output:
	// 1000 999
	// shm: struct { Name string }.Name is a string: it points into the memory of one process; use an array of bytes such as [32]byte
}

func ExampleCopy() {
	data, err := shm.Copy([]int32{3, 1, 4})
	if err != nil {
		log.Fatal(err)
	}
	defer data.Close()
	fmt.Println(data.Slice())
	// Output: [3 1 4]
}

// A handle crosses to another process as bytes. It opens in the same process
// just as well.
func ExampleHandle() {
	data, err := shm.Copy([]float64{1, 2, 3})
	if err != nil {
		log.Fatal(err)
	}
	defer data.Close()
	message, err := data.Handle(shm.ReadOnly).MarshalBinary()
	if err != nil {
		log.Fatal(err)
	}

	var h shm.Handle[float64]
	if err := h.UnmarshalBinary(message); err != nil {
		log.Fatal(err)
	}
	same, err := h.Open()
	if err != nil {
		log.Fatal(err)
	}
	defer same.Close()
	fmt.Println(same.Slice(), same.Mode())
	// Output: [1 2 3] read-only
}

func ExampleMapFile() {
	path := filepath.Join(os.TempDir(), fmt.Sprintf("example-%d", os.Getpid()))
	defer os.Remove(path)
	out, err := shm.MapFile[int32](path, shm.Create, shm.Length(4), shm.Offset(64)) // 64 bytes of header
	if err != nil {
		log.Fatal(err)
	}
	copy(out.Slice(), []int32{10, 20, 30, 40})
	if err := out.Close(); err != nil {
		log.Fatal(err)
	}

	in, err := shm.MapFile[int32](path, shm.ReadOnly, shm.Offset(64))
	if err != nil {
		log.Fatal(err)
	}
	defer in.Close()
	fmt.Println(in.Slice())
	// Output: [10 20 30 40]
}

// A file that another program may truncate is read under Guard.
func ExampleSlice_Guard() {
	path := filepath.Join(os.TempDir(), fmt.Sprintf("example-guard-%d", os.Getpid()))
	defer os.Remove(path)
	data, err := shm.MapFile[int64](path, shm.Create, shm.Length(1000))
	if err != nil {
		log.Fatal(err)
	}
	defer data.Close()
	if err := os.Truncate(path, 0); err != nil {
		log.Fatal(err)
	}
	sum := int64(0)
	err = data.Guard(func(numbers []int64) error {
		for _, v := range numbers {
			sum += v
		}
		return nil
	})
	fmt.Println(err != nil)
	// Output: true
}

func ExampleCounter() {
	counters, err := shm.Make[shm.Counter](2)
	if err != nil {
		log.Fatal(err)
	}
	defer counters.Close()
	done, failed := &counters.Slice()[0], &counters.Slice()[1]
	done.Add(3)
	fmt.Println(done.Load(), failed.Load())
	// Output: 3 0
}

// What processes change together stands beside the lock that guards it.
func ExampleMutex() {
	type account struct {
		Mu      shm.Mutex
		Balance int64
		Entries int64
	}
	accounts, err := shm.Make[account](1)
	if err != nil {
		log.Fatal(err)
	}
	defer accounts.Close()
	a := &accounts.Slice()[0]

	orphaned, err := a.Mu.Lock(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	if orphaned {
		// Who held the lock was killed, maybe between the two lines below.
		a.Entries = a.Balance / 10
	}
	a.Balance += 10
	a.Entries++
	a.Mu.Unlock()
	fmt.Println(a.Balance, a.Entries)
	// Output: 10 1
}
