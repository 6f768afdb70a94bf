package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/weft-go/weft"
)

// kernelBenchmark times plain Go loops under For beside numba, NumPy and C
// with OpenMP. bench/peers/kernels.py and kernels.c do the same work on the
// same numbers, and each side's result is compared.
var kernelBenchmark = sectionBenchmark("kernels",
	"plain Go loops under For beside numba, NumPy and C with OpenMP",
	"Kernels: plain loops beside compilers", 3, measureKernels)

// kernel makes its data for a size and returns what is timed; that returns a
// number by which the sides are compared.
type kernel struct {
	name, what  string
	size, quick int
	start       func(n int) func(ctx context.Context) (float64, error)
}

var kernels = []kernel{
	{"mandelbrot", "n x n points, 100 iterations at most", 1000, 50, mandelbrotKernel},
	{"pi", "n random points, by a hash of their index", 20_000_000, 1000, piKernel},
	{"blackscholes", "n prices of call options", 2_000_000, 1000, blackScholesKernel},
	{"nbody", "n bodies, all forces once", 3000, 50, nbodyKernel},
	{"jacobi", "n x n grid, 10 sweeps", 2048, 64, jacobiKernel},
	{"distances", "of n points in 16 dimensions to each other", 2000, 50, distancesKernel},
	{"prefix", "running sums of n numbers", 20_000_000, 1000, prefixKernel},
	{"histogram", "of n numbers, 256 bins", 20_000_000, 1000, histogramKernel},
	{"matmul", "of two n x n matrices, three loops", 768, 32, matmulKernel},
}

func mandelbrotKernel(n int) func(context.Context) (float64, error) {
	counts := make([]int32, n*n)
	return func(ctx context.Context) (float64, error) {
		err := weft.For(ctx, n, func(lo, hi int) error {
			for r := lo; r < hi; r++ {
				ci := -1.25 + 2.5*float64(r)/float64(n)
				row := counts[r*n : (r+1)*n]
				for c := range row {
					cr := -2 + 2.5*float64(c)/float64(n)
					var x, y float64
					k := int32(0)
					for k < 100 {
						xx, yy := x*x, y*y
						if xx+yy > 4 {
							break
						}
						y = 2*x*y + ci
						x = xx - yy + cr
						k++
					}
					row[c] = k
				}
			}
			return nil
		})
		sum := 0.0
		for _, k := range counts {
			sum += float64(k)
		}
		return sum, err
	}
}

// mix is splitmix64 of an index.
func mix(i uint64) uint64 {
	z := (i + 1) * 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// parts is into how many a loop that keeps a result for each part is cut.
const parts = 64

func part(n, i int) (lo, hi int) { return n * i / parts, n * (i + 1) / parts }

func piKernel(n int) func(context.Context) (float64, error) {
	return func(ctx context.Context) (float64, error) {
		var inside [parts]int
		err := weft.For(ctx, parts, func(first, last int) error {
			for p := first; p < last; p++ {
				lo, hi := part(n, p)
				k := 0
				for i := lo; i < hi; i++ {
					z := mix(uint64(i))
					x, y := float64(z>>32)/(1<<32), float64(z&(1<<32-1))/(1<<32)
					if x*x+y*y < 1 {
						k++
					}
				}
				inside[p] = k
			}
			return nil
		})
		sum := 0
		for _, k := range inside {
			sum += k
		}
		return float64(sum), err
	}
}

func blackScholesKernel(n int) func(context.Context) (float64, error) {
	prices := make([]float64, n)
	return func(ctx context.Context) (float64, error) {
		err := weft.For(ctx, n, func(lo, hi int) error {
			const r, sigma = 0.02, 0.3
			for i := lo; i < hi; i++ {
				s, k, t := 50+float64(i%100), 60+float64(i%80), 0.25+float64(i%16)/8
				d1 := (math.Log(s/k) + (r+sigma*sigma/2)*t) / (sigma * math.Sqrt(t))
				d2 := d1 - sigma*math.Sqrt(t)
				prices[i] = s*(0.5+0.5*math.Erf(d1/math.Sqrt2)) - k*math.Exp(-r*t)*(0.5+0.5*math.Erf(d2/math.Sqrt2))
			}
			return nil
		})
		return total(prices), err
	}
}

func total(s []float64) float64 {
	sum := 0.0
	for _, v := range s {
		sum += v
	}
	return sum
}

func randoms(n int, seed uint64) []float64 {
	s := make([]float64, n)
	for i := range s {
		s[i] = float64(mix(uint64(i)+seed<<40)>>11) / (1 << 53)
	}
	return s
}

func nbodyKernel(n int) func(context.Context) (float64, error) {
	x, y, z := randoms(n, 1), randoms(n, 2), randoms(n, 3)
	force := make([]float64, n)
	return func(ctx context.Context) (float64, error) {
		err := weft.For(ctx, n, func(lo, hi int) error {
			for i := lo; i < hi; i++ {
				var ax, ay, az float64
				xi, yi, zi := x[i], y[i], z[i]
				for j := range x {
					dx, dy, dz := x[j]-xi, y[j]-yi, z[j]-zi
					d := dx*dx + dy*dy + dz*dz + 1e-4
					w := 1 / (d * math.Sqrt(d))
					ax += dx * w
					ay += dy * w
					az += dz * w
				}
				force[i] = math.Abs(ax) + math.Abs(ay) + math.Abs(az)
			}
			return nil
		})
		return total(force), err
	}
}

func jacobiKernel(n int) func(context.Context) (float64, error) {
	first := randoms(n*n, 4)
	a, b := make([]float64, n*n), make([]float64, n*n)
	return func(ctx context.Context) (float64, error) {
		copy(a, first)
		copy(b, first)
		for range 10 {
			err := weft.For(ctx, n-2, func(lo, hi int) error {
				for r := lo + 1; r <= hi; r++ {
					out := b[r*n : (r+1)*n]
					up, mid, down := a[(r-1)*n : r*n][:len(out)], a[r*n : (r+1)*n][:len(out)], a[(r+1)*n : (r+2)*n][:len(out)]
					for c := 1; c < len(out)-1; c++ {
						out[c] = 0.25 * (up[c] + down[c] + mid[c-1] + mid[c+1])
					}
				}
				return nil
			})
			if err != nil {
				return 0, err
			}
			a, b = b, a
		}
		return total(a), nil
	}
}

func distancesKernel(n int) func(context.Context) (float64, error) {
	const d = 16
	p, out := randoms(n*d, 5), make([]float64, n*n)
	return func(ctx context.Context) (float64, error) {
		err := weft.For(ctx, n, func(lo, hi int) error {
			for i := lo; i < hi; i++ {
				x := p[i*d:][:d]
				for j := range n {
					y := p[j*d:][:d]
					s := 0.0
					for k := range d {
						v := x[k] - y[k]
						s += v * v
					}
					out[i*n+j] = math.Sqrt(s)
				}
			}
			return nil
		})
		return total(out), err
	}
}

func prefixKernel(n int) func(context.Context) (float64, error) {
	x, out := randoms(n, 6), make([]float64, n)
	return func(ctx context.Context) (float64, error) {
		var sums [parts]float64
		each := func(f func(p, lo, hi int)) error {
			return weft.For(ctx, parts, func(first, last int) error {
				for p := first; p < last; p++ {
					lo, hi := part(n, p)
					f(p, lo, hi)
				}
				return nil
			})
		}
		err := each(func(p, lo, hi int) { sums[p] = total(x[lo:hi]) })
		before := 0.0
		for p, s := range sums {
			sums[p], before = before, before+s
		}
		if err == nil {
			err = each(func(p, lo, hi int) {
				s := sums[p]
				for i := lo; i < hi; i++ {
					s += x[i]
					out[i] = s
				}
			})
		}
		return out[n-1], err
	}
}

func histogramKernel(n int) func(context.Context) (float64, error) {
	x := randoms(n, 7)
	return func(ctx context.Context) (float64, error) {
		var bins [parts][256]int
		err := weft.For(ctx, parts, func(first, last int) error {
			for p := first; p < last; p++ {
				lo, hi := part(n, p)
				b := &bins[p]
				for _, v := range x[lo:hi] {
					b[uint8(v*256)]++
				}
			}
			return nil
		})
		sum := 0.0
		for p := range bins {
			for i, k := range bins[p] {
				sum += float64(i * k)
			}
		}
		return sum, err
	}
}

func matmulKernel(n int) func(context.Context) (float64, error) {
	a, b, c := randoms(n*n, 8), randoms(n*n, 9), make([]float64, n*n)
	return func(ctx context.Context) (float64, error) {
		err := weft.For(ctx, n, func(lo, hi int) error {
			for i := lo; i < hi; i++ {
				row := c[i*n : (i+1)*n]
				clear(row)
				for k := range n {
					f, other := a[i*n+k], b[k*n:][:len(row)]
					for j := range row {
						row[j] += f * other[j]
					}
				}
			}
			return nil
		})
		return total(c), err
	}
}

// kernelRow is what a peer prints of one kernel.
type kernelRow struct {
	Kernel, Side string
	Seconds      float64
	Check        float64
}

var kernelSides = []string{"Go", "numba", "numba fastmath", "NumPy", "C -O3 OpenMP"}

func measureKernels(ctx context.Context, o sectionOptions) (string, error) {
	if o.quick {
		o.rounds = 1
	}
	sizes := []string{}
	found := map[string]map[string]kernelRow{}
	put := func(r kernelRow) {
		if found[r.Kernel] == nil {
			found[r.Kernel] = map[string]kernelRow{}
		}
		found[r.Kernel][r.Side] = r
	}
	for _, k := range kernels {
		if !o.wants(k.name) {
			continue
		}
		n := k.size
		if o.quick {
			n = k.quick
		}
		sizes = append(sizes, fmt.Sprintf("%s=%d", k.name, n))
		run := k.start(n)
		var times []float64
		var check float64
		for i := range o.rounds + 1 { // the first warms up, for every side
			if ctx.Err() != nil {
				return "", context.Cause(ctx)
			}
			runtime.GC()
			begin := time.Now()
			v, err := run(ctx)
			if err != nil {
				return "", err
			}
			if check = v; i > 0 {
				times = append(times, time.Since(begin).Seconds())
			}
		}
		put(kernelRow{k.name, "Go", medianOf(times), check})
	}
	args := append([]string{strconv.Itoa(runtime.GOMAXPROCS(0)), strconv.Itoa(o.rounds)}, sizes...)
	var missing []string
	line := func(b []byte) error {
		var r kernelRow
		if err := json.Unmarshal(b, &r); err != nil {
			return err
		}
		put(r)
		return nil
	}
	dir := filepath.Join("bench", "peers")
	py, err := findPython(dir)
	if err == nil {
		err = py.script(ctx, "kernels.py", line, args...)
		py.close()
	}
	if err != nil {
		missing = append(missing, fmt.Sprintf("numba and NumPy (%v)", err))
	}
	if err := runKernelsInC(ctx, filepath.Join(dir, "kernels.c"), args, line); err != nil {
		missing = append(missing, fmt.Sprintf("C (%v)", err))
	}

	var b strings.Builder
	fmt.Fprintf(&b, "Seconds, the median of %d rounds after one to warm up; %d threads for every side. Go's loops are under `weft.For` and as plain as the others'. C is `gcc -O3 -march=native -fopenmp` without -ffast-math; NumPy's matmul is OpenBLAS, and its other work runs on one thread, as NumPy does. Every side's result is compared with Go's.\n\n", o.rounds, runtime.GOMAXPROCS(0))
	if len(missing) > 0 {
		fmt.Fprintf(&b, "**Not run**: %s.\n\n", strings.Join(missing, "; "))
	}
	b.WriteString("| kernel | work | n | " + strings.Join(kernelSides, " | ") + " | numba / Go | NumPy / Go | C / Go |\n|---|---|---:|" + strings.Repeat("---:|", len(kernelSides)+3) + "\n")
	product, count := 1.0, 0
	for _, k := range kernels {
		rows := found[k.name]
		if rows == nil {
			continue
		}
		n := k.size
		if o.quick {
			n = k.quick
		}
		fmt.Fprintf(&b, "| %s | %s | %d |", k.name, k.what, n)
		ours := rows["Go"]
		apart := 1e-9 // sums in another order
		if k.name == "mandelbrot" {
			apart = 1e-2 // points at the rim, where the last bit of a fused step decides
		}
		for _, side := range kernelSides {
			r, ok := rows[side]
			switch {
			case !ok:
				b.WriteString(" - |")
			case math.Abs(r.Check-ours.Check) > apart*math.Abs(ours.Check):
				return "", fmt.Errorf("%s: %s has %v, Go %v", k.name, side, r.Check, ours.Check)
			default:
				fmt.Fprintf(&b, " %s |", seconds(time.Duration(r.Seconds*1e9)))
			}
		}
		for _, side := range []string{"numba", "NumPy", "C -O3 OpenMP"} {
			if r, ok := rows[side]; ok {
				fmt.Fprintf(&b, " %.2f |", r.Seconds/ours.Seconds)
			} else {
				b.WriteString(" - |")
			}
		}
		b.WriteByte('\n')
		if r, ok := rows["numba"]; ok {
			product *= r.Seconds / ours.Seconds
			count++
		}
	}
	if count > 0 {
		fmt.Fprintf(&b, "\nNumba / Go in the geometric mean: %.2f (above 1, Go is faster).\n", math.Pow(product, 1/float64(count)))
	}
	return b.String(), nil
}

// runKernelsInC compiles and runs kernels.c.
func runKernelsInC(ctx context.Context, source string, args []string, line func([]byte) error) error {
	gcc, err := exec.LookPath("gcc")
	if err != nil {
		return errors.New("there is no gcc")
	}
	dir, err := os.MkdirTemp("", "weft-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "kernels")
	if out, err := exec.CommandContext(ctx, gcc, "-O3", "-march=native", "-fopenmp", "-o", binary, source, "-lm").CombinedOutput(); err != nil {
		return fmt.Errorf("gcc: %w: %s", err, lastLine(string(out)))
	}
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = append(os.Environ(), "OMP_NUM_THREADS="+args[0])
	out, err := cmd.Output()
	if err != nil {
		return err
	}
	for s := bufio.NewScanner(bytes.NewReader(out)); s.Scan(); {
		if err := line(s.Bytes()); err != nil {
			return fmt.Errorf("kernels.c printed %q: %w", s.Text(), err)
		}
	}
	return nil
}
