// Shared has several processes work on one array in shared memory: nothing of
// it is copied. Each takes rows by a shared counter, and adds what it found
// under a shared mutex. One process is killed in the middle; the others do not
// hang, and the row that it had is done again.
//
//	go run ./examples/shared
//
// Package proc starts processes and carries handles by itself. Here both are
// done by hand, to show what there is to it: the same program again, and a
// descriptor that it inherits.
package main

import (
	"context"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/weft-go/weft/shm"
)

// state is what the processes share beside the array.
type state struct {
	Next shm.Counter // the next row
	Mu   shm.Mutex   // guards what follows
	Done [rows]bool
	Sum  float64
}

const rows, columns = 64, 1 << 16

func main() {
	log.SetFlags(0)
	log.SetPrefix("shared: ")
	processes := flag.Int("processes", 3, "so many, of which the first is killed")
	worker := flag.String("worker", "", "handles, when this is one of them")
	victim := flag.Bool("victim", false, "says when it holds the lock, and keeps it")
	flag.Parse()
	var err error
	if *worker != "" {
		err = work(*worker, *victim)
	} else {
		err = run(os.Stdout, *processes)
	}
	if err != nil {
		log.Fatal(err)
	}
}

// run makes the memory, starts the processes and finishes what one left.
func run(out io.Writer, processes int) error {
	data, err := shm.Make[float64](rows * columns)
	if err != nil {
		return err
	}
	defer data.Close()
	for i := range data.Slice() {
		data.Slice()[i] = float64(i % 1000)
	}
	shared, err := shm.Make[state](1)
	if err != nil {
		return err
	}
	defer shared.Close()

	// All may read the array, and read and write the state.
	read, write := data.Handle(shm.ReadOnly), shared.Handle(shm.ReadWrite)
	text, err := encode(read, write)
	if err != nil {
		return err
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	var started []*exec.Cmd
	for i := range processes {
		cmd := exec.Command(exe, "-worker", text, fmt.Sprintf("-victim=%v", i == 0))
		for _, ref := range []shm.Ref{read.Ref(), write.Ref()} {
			f, err := ref.File()
			if err != nil {
				return err
			}
			defer f.Close()
			cmd.ExtraFiles = append(cmd.ExtraFiles, f)
		}
		cmd.Stderr = os.Stderr
		said, err := cmd.StdoutPipe()
		if err != nil {
			return err
		}
		if err := cmd.Start(); err != nil {
			return err
		}
		started = append(started, cmd)
		if i == 0 { // the victim; the others start when it has the lock
			if _, err := io.ReadFull(said, make([]byte, len(holding))); err != nil {
				return fmt.Errorf("process 0 said nothing: %w", errors.Join(err, cmd.Wait()))
			}
		}
	}
	if err := started[0].Process.Kill(); err != nil {
		return err
	}
	for i, cmd := range started {
		if err := cmd.Wait(); err != nil {
			fmt.Fprintf(out, "process %d: %v\n", i, err)
		}
	}

	// A row that the dead one had taken is not done.
	s := &shared.Slice()[0]
	again := 0
	for row := range rows {
		if !s.Done[row] {
			again++
			if err := s.add(data.Slice(), row); err != nil {
				return err
			}
		}
	}
	fmt.Fprintf(out, "%d rows done again\nsum %.0f\n", again, s.Sum)
	return nil
}

const holding = "holding the lock"

// work is what each process does.
func work(text string, victim bool) error {
	parts := strings.Split(text, ",")
	if len(parts) != 2 {
		return fmt.Errorf("-worker %q: not two handles", text)
	}
	data, err := open[float64](parts[0], 3)
	if err != nil {
		return err
	}
	defer data.Close()
	shared, err := open[state](parts[1], 4)
	if err != nil {
		return err
	}
	defer shared.Close()
	s := &shared.Slice()[0]
	for {
		row := int(s.Next.Add(1)) - 1
		if row >= rows {
			return nil
		}
		if victim {
			if _, err := s.Mu.Lock(context.Background()); err != nil {
				return err
			}
			fmt.Print(holding)
			time.Sleep(time.Hour) // it is killed before
		}
		if err := s.add(data.Slice(), row); err != nil {
			return err
		}
	}
}

// add adds up a row and notes it.
func (s *state) add(data []float64, row int) error {
	sum := 0.0
	for _, v := range data[row*columns : (row+1)*columns] {
		sum += v
	}
	orphaned, err := s.Mu.Lock(context.Background())
	if err != nil {
		return err
	}
	defer s.Mu.Unlock()
	if orphaned {
		// Whoever died with the lock had not added yet: nothing to mend.
		log.Print("a process died with the lock")
	}
	s.Sum += sum
	s.Done[row] = true
	return nil
}

func encode(read shm.Handle[float64], write shm.Handle[state]) (string, error) {
	a, err := read.MarshalBinary()
	if err != nil {
		return "", err
	}
	b, err := write.MarshalBinary()
	return hex.EncodeToString(a) + "," + hex.EncodeToString(b), err
}

func open[T any](text string, fd uintptr) (*shm.Slice[T], error) {
	b, err := hex.DecodeString(text)
	if err != nil {
		return nil, err
	}
	var h shm.Handle[T]
	if err := h.UnmarshalBinary(b); err != nil {
		return nil, err
	}
	if err := h.Ref().Accept(os.NewFile(fd, "inherited")); err != nil {
		return nil, err
	}
	return h.Open()
}
