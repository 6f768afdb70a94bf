// Mandelbrot draws the Mandelbrot set: a parallel loop over an index whose
// steps differ a lot (For), and figures about the result (Reduce).
//
//	go run ./examples/mandelbrot -out mandelbrot.png
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"os"
	"os/signal"

	"github.com/weft-go/weft"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	out := flag.String("out", "mandelbrot.png", "the picture")
	size := flag.Int("size", 1200, "its width in pixels")
	flag.Parse()
	if err := run(ctx, os.Stdout, *out, *size); err != nil {
		fmt.Fprintln(os.Stderr, "mandelbrot:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, w io.Writer, file string, width int) error {
	height := width * 2 / 3
	var report weft.Report
	steps, err := escape(ctx, width, height, weft.ReportTo(&report), weft.Name("mandelbrot"))
	if err != nil {
		return err
	}
	fmt.Fprint(w, report)
	sum, err := weft.Reduce(ctx, steps, add, merge)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%.2f %% of the pixels are in the set; the others leave after %.3f steps on average\n",
		100*float64(sum.inside)/float64(len(steps)), sum.steps/float64(len(steps)-sum.inside))
	return paint(file, steps, width, height)
}

const most = 1000

// escape counts for each pixel the steps until it leaves the circle; those
// that never do get most.
func escape(ctx context.Context, width, height int, opts ...weft.ForOption) ([]float64, error) {
	steps := make([]float64, width*height)
	// Rows through the middle take long, those at the edges next to nothing:
	// Weft cuts the pieces so that the workers end together.
	err := weft.For(ctx, height, func(lo, hi int) error {
		for y := lo; y < hi; y++ {
			for x := range width {
				c := complex(3*float64(x)/float64(width)-2.25, 2*float64(y)/float64(height)-1)
				steps[y*width+x] = iterate(c)
			}
		}
		return nil
	}, opts...)
	return steps, err
}

func iterate(c complex128) float64 {
	var z complex128
	for i := range most {
		z = z*z + c
		if r := real(z)*real(z) + imag(z)*imag(z); r > 1<<16 {
			// The fraction of a step, for smooth colours.
			return float64(i) + 1 - math.Log2(math.Log2(r)/2)
		}
	}
	return most
}

type sums struct {
	inside int
	steps  float64
}

func add(s sums, steps float64) sums {
	if steps == most {
		s.inside++
	} else {
		s.steps += steps
	}
	return s
}

// merge adds floats: Reduce does it in the same order for any number of
// workers, so the figures are the same to the last bit.
func merge(a, b sums) sums { return sums{a.inside + b.inside, a.steps + b.steps} }

func paint(file string, steps []float64, width, height int) error {
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for i, s := range steps {
		c := color.RGBA{A: 255}
		if s < most {
			t := math.Sqrt(max(0, s)) / 4
			c.R, c.G, c.B = wave(t), wave(t+0.1), wave(t+0.25)
		}
		img.SetRGBA(i%width, i/width, c)
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	return errors.Join(png.Encode(f, img), f.Close())
}

func wave(t float64) uint8 { return uint8(127.5 * (1 - math.Cos(2*math.Pi*t))) }
