package tour

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"time"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/proc"
	"github.com/weft-go/weft/shm"
)

var procStop = stop{
	name:  "proc",
	title: "blur a large shared image in processes; one of them is killed",
	story: "An image in shared memory, and a filter that might be somebody's C code: it runs in worker processes, " +
		"which get a handle and not a copy. In the middle a band of the image has its process killed by SIGKILL. " +
		"In a goroutine that would be the end of everything. Here it should cost that band, and say which it was.",
	code: "sums, err := weft.Map(ctx, bands, blur, weft.On(pool), weft.KeepGoing())",
	run:  runProc,
}

var _ = weft.Register(blur)

// band is some rows of an image in shared memory.
type band struct {
	Image       shm.Handle[float32]
	Width, Rows int
	From, To    int
	Deadly      bool
}

// radius is how far the filter looks.
const radius = 4

// blur returns the mean of the band's rows after a box filter.
func blur(ctx context.Context, b band) (float64, error) {
	if b.Deadly {
		self, err := os.FindProcess(os.Getpid())
		if err == nil {
			err = self.Kill()
		}
		if err != nil {
			return 0, err
		}
		<-ctx.Done() // it takes a moment
		return 0, ctx.Err()
	}
	image, err := b.Image.Open()
	if err != nil {
		return 0, err
	}
	defer image.Close() //nolint:errcheck // it was only read
	return blurRows(image.Slice(), b.Width, b.Rows, b.From, b.To), nil
}

func blurRows(image []float32, width, rows, from, to int) float64 {
	sum := 0.0
	for y := from; y < to; y++ {
		for x := range width {
			var v float32
			for dy := max(0, y-radius); dy <= min(rows-1, y+radius); dy++ {
				for _, p := range image[dy*width+max(0, x-radius) : dy*width+min(width, x+radius+1)] {
					v += p
				}
			}
			sum += float64(v)
		}
	}
	return sum / float64((to-from)*width)
}

func runProc(ctx context.Context, v *visit) (o outcome, err error) {
	size, bandRows := v.cfg.sizes.image, max(1, v.cfg.sizes.image/64)
	v.status("proc: painting the image")
	image, err := shm.Make[float32](size * size)
	if err != nil {
		return o, err
	}
	defer func() { err = errors.Join(err, image.Close()) }()
	for i := range image.Slice() {
		x, y := float64(i%size), float64(i/size)
		image.Slice()[i] = float32(math.Sin(x/17) * math.Cos(y/23))
	}
	var bands []band
	for y := 0; y < size; y += bandRows {
		bands = append(bands, band{Image: image.Handle(shm.ReadOnly), Width: size, Rows: size, From: y, To: min(size, y+bandRows)})
	}
	o.items, o.sampled, o.rounds = len(bands), len(bands), 1
	deadly := len(bands) / 2

	v.status("proc: plain loop")
	begin := time.Now()
	want, err := plainLoop(ctx, bands, blur)
	if err != nil {
		return o, err
	}
	o.plain = time.Since(begin)

	v.status("proc: weft.Map in processes")
	var said strings.Builder
	begin = time.Now()
	pool, err := proc.Start(ctx, proc.Config{Stdout: &said, Stderr: &said})
	if err != nil {
		return o, err
	}
	defer pool.Close() //nolint:errcheck // always nil
	bands[deadly].Deadly = true
	got, err := weft.Map(ctx, bands, blur, weft.On(pool), weft.Require(weft.Isolation), weft.KeepGoing(), weft.Name("proc"), weft.ReportTo(&o.report))
	o.weft = time.Since(begin)
	death, died := errors.AsType[*proc.DeathError](err)
	item, _ := errors.AsType[*weft.ItemError](err)
	if !died || item.Index != deadly {
		return o, errors.Join(fmt.Errorf("band %d should have failed, and nothing else; this is a bug in Weft, please report it", deadly), err)
	}
	for i := range want {
		if i != deadly && want[i] != got[i] {
			return o, fmt.Errorf("band %d: the plain loop gives %v and the processes give %v; this is a bug in Weft, please report it", i, want[i], got[i])
		}
	}
	death.Stderr = nil
	o.result = fmt.Sprintf("%d bands of an image of %d MB: %v. The other %d bands", len(bands), size*size*4/1e6, death, len(bands)-1)
	return o, nil
}
