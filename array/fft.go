package array

import (
	"math"
	"math/bits"
	"math/cmplx"
)

// FFT is the discrete Fourier transform of each line along an axis, as
// np.fft.fft. It takes n log n steps for any length n. A line must fit into
// memory.
func FFT(a Array[complex128], axis int) Array[complex128] {
	return lines("FFT", "fft", a, axis, -1, func(dst, src []complex128) error {
		copy(dst, src)
		transform(dst, -1)
		return nil
	})
}

// IFFT turns FFT around, as np.fft.ifft.
func IFFT(a Array[complex128], axis int) Array[complex128] {
	return lines("IFFT", "ifft", a, axis, -1, func(dst, src []complex128) error {
		copy(dst, src)
		transform(dst, 1)
		for i := range dst {
			dst[i] /= complex(float64(len(dst)), 0)
		}
		return nil
	})
}

// unitRoot is e to the power of 2 pi i k / n.
func unitRoot(k, n int) complex128 {
	s, c := math.Sincos(2 * math.Pi * float64(k) / float64(n))
	return complex(c, s)
}

// transform is the sum of x[j] w^(jk), w a root of unity of the given sign.
func transform(x []complex128, sign int) {
	n := len(x)
	switch {
	case n < 2:
	case n&(n-1) == 0:
		byTwo(x, sign)
	default:
		chirp(x, sign)
	}
}

// byTwo is the algorithm of Cooley and Tukey for powers of two.
func byTwo(x []complex128, sign int) {
	n := len(x)
	shift := 64 - bits.Len(uint(n-1))
	for i := range x {
		if j := int(bits.Reverse64(uint64(i)) >> shift); i < j {
			x[i], x[j] = x[j], x[i]
		}
	}
	w := make([]complex128, n/2)
	for k := range w {
		w[k] = unitRoot(sign*k, n)
	}
	for size := 2; size <= n; size *= 2 {
		h, step := size/2, n/size
		for lo := 0; lo < n; lo += size {
			a, b := x[lo:lo+h], x[lo+h:lo+size]
			for k := range a {
				t := b[k] * w[k*step]
				a[k], b[k] = a[k]+t, a[k]-t
			}
		}
	}
}

// chirp is Bluestein's algorithm for any length: a convolution, which is done
// with powers of two.
func chirp(x []complex128, sign int) {
	n := len(x)
	m := 1 << bits.Len(uint(2*n-1))
	w := make([]complex128, n) // w^(k^2/2)
	for k := range w {
		w[k] = unitRoot(sign*(k*k%(2*n)), 2*n)
	}
	a, b := make([]complex128, m), make([]complex128, m)
	for k, v := range x {
		a[k] = v * w[k]
		b[k] = cmplx.Conj(w[k])
		if k > 0 {
			b[m-k] = b[k]
		}
	}
	byTwo(a, -1)
	byTwo(b, -1)
	for k := range a {
		a[k] *= b[k]
	}
	byTwo(a, 1)
	for k := range x {
		x[k] = a[k] * w[k] / complex(float64(m), 0)
	}
}
