// Thumbnails makes small pictures of large ones: work for the CPU, in few
// long items, with files before and after.
//
//	go run ./examples/thumbnails                    draws pictures to work on
//	go run ./examples/thumbnails -in photos -out thumbs
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/color"
	_ "image/gif" // to read
	"image/jpeg"
	_ "image/png"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/weft-go/weft"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	in := flag.String("in", "", "directory of pictures (default: some that are drawn for this run)")
	out := flag.String("out", "", "directory for the thumbnails (default: a new one)")
	size := flag.Int("size", 160, "width and height at most, in pixels")
	flag.Parse()
	if err := run(ctx, os.Stdout, *in, *out, *size); err != nil {
		fmt.Fprintln(os.Stderr, "thumbnails:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, w io.Writer, in, out string, size int) (err error) {
	if out == "" {
		if out, err = os.MkdirTemp("", "thumbnails-"); err != nil {
			return err
		}
	} else if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	if in == "" {
		if in, err = os.MkdirTemp("", "pictures-"); err != nil {
			return err
		}
		defer os.RemoveAll(in)
		if err := draw(ctx, in, 24, 1200, 900); err != nil {
			return err
		}
	}
	var files []string
	for _, ext := range []string{"jpg", "jpeg", "png", "gif"} {
		some, err := filepath.Glob(filepath.Join(in, "*."+ext))
		if err != nil {
			return err
		}
		files = append(files, some...)
	}
	if len(files) == 0 {
		return fmt.Errorf("there are no pictures in %s", in)
	}

	var report weft.Report
	thumbs, err := weft.Map(ctx, files, func(_ context.Context, file string) (string, error) {
		return thumbnail(file, out, size)
	}, weft.KeepGoing(), weft.Name("thumbnails"), weft.ReportTo(&report))
	fmt.Fprint(w, report)
	for _, t := range thumbs {
		if t != "" { // KeepGoing: the others are in err
			fmt.Fprintln(w, t)
		}
	}
	return err
}

// thumbnail writes a small copy of a picture and returns its name.
func thumbnail(file, dir string, size int) (string, error) {
	src, err := read(file)
	if err != nil {
		return "", fmt.Errorf("%s: %w", file, err)
	}
	base := filepath.Base(file)
	return write(filepath.Join(dir, strings.TrimSuffix(base, filepath.Ext(base))+".jpg"), shrink(src, size))
}

func read(file string) (image.Image, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	img, _, err := image.Decode(f)
	return img, err
}

func write(file string, img image.Image) (string, error) {
	f, err := os.Create(file)
	if err != nil {
		return "", err
	}
	err = jpeg.Encode(f, img, nil)
	return file, errors.Join(err, f.Close())
}

// shrink averages the pixels that fall together.
func shrink(src image.Image, size int) image.Image {
	b := src.Bounds()
	longest := max(b.Dx(), b.Dy(), 1)
	w, h := max(1, b.Dx()*size/longest), max(1, b.Dy()*size/longest)
	dst := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		y0, y1 := b.Min.Y+y*b.Dy()/h, b.Min.Y+(y+1)*b.Dy()/h
		for x := range w {
			x0, x1 := b.Min.X+x*b.Dx()/w, b.Min.X+(x+1)*b.Dx()/w
			dst.Set(x, y, mean(src, x0, y0, max(x1, x0+1), max(y1, y0+1)))
		}
	}
	return dst
}

func mean(src image.Image, x0, y0, x1, y1 int) color.Color {
	var r, g, b, n uint64
	for y := y0; y < y1; y++ {
		for x := x0; x < x1; x++ {
			cr, cg, cb, _ := src.At(x, y).RGBA()
			r, g, b, n = r+uint64(cr), g+uint64(cg), b+uint64(cb), n+1
		}
	}
	return color.RGBA64{uint16(r / n), uint16(g / n), uint16(b / n), 0xffff}
}

// draw makes pictures to work on.
func draw(ctx context.Context, dir string, n, w, h int) error {
	numbers := make([]int, n)
	for i := range numbers {
		numbers[i] = i
	}
	return weft.Each(ctx, numbers, func(_ context.Context, i int) error {
		img := image.NewRGBA(image.Rect(0, 0, w, h))
		for y := range h {
			for x := range w {
				img.SetRGBA(x, y, color.RGBA{uint8(x * (i + 1) / 8), uint8(y * (i + 1) / 8), uint8(x ^ y), 255})
			}
		}
		_, err := write(filepath.Join(dir, fmt.Sprintf("%02d.jpg", i)), img)
		return err
	}, weft.Name("draw"))
}
