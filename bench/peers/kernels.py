"""The work of bench/kernels.go with numba (fastmath off and on) and NumPy.

    kernels.py THREADS ROUNDS NAME=N...

A JSON object for each kernel and side: the median of ROUNDS after one to warm
up, which also compiles.
"""

import json
import math
import os
import statistics
import sys
import threading
import time

THREADS, ROUNDS = int(sys.argv[1]), int(sys.argv[2])
for name in "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS":
    os.environ[name] = str(THREADS)

import numba
import numpy as np
from numba import njit, prange

PARTS = 64


def mix(i):
    with np.errstate(over="ignore"):
        z = (i + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ z >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ z >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
        return z ^ z >> np.uint64(31)


def sample(n, seed):
    i = np.arange(n, dtype=np.uint64) + (np.uint64(seed) << np.uint64(40))
    return (mix(i) >> np.uint64(11)).astype(np.float64) / 2.0**53


def loops(fast):
    """The loops, compiled by numba."""
    jit = njit(parallel=True, fastmath=fast)

    @jit
    def mandelbrot(counts, n):
        for r in prange(n):
            ci = -1.25 + 2.5 * r / n
            for c in range(n):
                cr = -2 + 2.5 * c / n
                x = 0.0
                y = 0.0
                k = 0
                while k < 100:
                    xx = x * x
                    yy = y * y
                    if xx + yy > 4:
                        break
                    y = 2 * x * y + ci
                    x = xx - yy + cr
                    k += 1
                counts[r, c] = k
        return counts.sum()

    @jit
    def pi(n):
        inside = 0
        for i in prange(n):
            z = (np.uint64(i) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
            z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            z = z ^ (z >> np.uint64(31))
            x = float(z >> np.uint64(32)) / 4294967296.0
            y = float(z & np.uint64(0xFFFFFFFF)) / 4294967296.0
            if x * x + y * y < 1:
                inside += 1
        return inside

    @jit
    def blackscholes(out, n):
        r, sigma = 0.02, 0.3
        for i in prange(n):
            s = 50.0 + i % 100
            k = 60.0 + i % 80
            t = 0.25 + (i % 16) / 8
            d1 = (math.log(s / k) + (r + sigma * sigma / 2) * t) / (sigma * math.sqrt(t))
            d2 = d1 - sigma * math.sqrt(t)
            out[i] = s * (0.5 + 0.5 * math.erf(d1 / math.sqrt(2))) - k * math.exp(-r * t) * (0.5 + 0.5 * math.erf(d2 / math.sqrt(2)))

    @jit
    def nbody(x, y, z, out):
        for i in prange(len(x)):
            ax = 0.0
            ay = 0.0
            az = 0.0
            for j in range(len(x)):
                dx = x[j] - x[i]
                dy = y[j] - y[i]
                dz = z[j] - z[i]
                d = dx * dx + dy * dy + dz * dz + 1e-4
                w = 1 / (d * math.sqrt(d))
                ax += dx * w
                ay += dy * w
                az += dz * w
            out[i] = abs(ax) + abs(ay) + abs(az)

    @jit
    def sweep(a, b):
        n = a.shape[0]
        for r in prange(1, n - 1):
            for c in range(1, n - 1):
                b[r, c] = 0.25 * (a[r - 1, c] + a[r + 1, c] + a[r, c - 1] + a[r, c + 1])

    @jit
    def distances(p, out):
        n = p.shape[0]
        for i in prange(n):
            for j in range(n):
                s = 0.0
                for k in range(16):
                    v = p[i, k] - p[j, k]
                    s += v * v
                out[i, j] = math.sqrt(s)

    @jit
    def prefix(x, out):
        n = len(x)
        sums = np.zeros(PARTS + 1)
        for p in prange(PARTS):
            s = 0.0
            for i in range(n * p // PARTS, n * (p + 1) // PARTS):
                s += x[i]
            sums[p + 1] = s
        for p in range(PARTS):
            sums[p + 1] += sums[p]
        for p in prange(PARTS):
            s = sums[p]
            for i in range(n * p // PARTS, n * (p + 1) // PARTS):
                s += x[i]
                out[i] = s

    @jit
    def histogram(x, bins):
        n = len(x)
        for p in prange(PARTS):
            for i in range(n * p // PARTS, n * (p + 1) // PARTS):
                bins[p, int(x[i] * 256)] += 1

    @jit
    def matmul(a, b, c):
        n = a.shape[0]
        for i in prange(n):
            for j in range(n):
                c[i, j] = 0.0
            for k in range(n):
                f = a[i, k]
                for j in range(n):
                    c[i, j] += f * b[k, j]

    def jacobi(first, a, b):
        a[:] = first
        b[:] = first
        for _ in range(10):
            sweep(a, b)
            a, b = b, a
        return a

    return dict(mandelbrot=mandelbrot, pi=pi, blackscholes=blackscholes, nbody=nbody, jacobi=jacobi, distances=distances, prefix=prefix, histogram=histogram, matmul=matmul)


def numba_runs(fast, name, n):
    f = loops(fast)[name]
    if name == "mandelbrot":
        counts = np.zeros((n, n), np.int32)
        return lambda: f(counts, n)
    if name == "pi":
        return lambda: f(n)
    if name == "blackscholes":
        out = np.zeros(n)
        return lambda: (f(out, n), out.sum())[1]
    if name == "nbody":
        x, y, z, out = sample(n, 1), sample(n, 2), sample(n, 3), np.zeros(n)
        return lambda: (f(x, y, z, out), out.sum())[1]
    if name == "jacobi":
        first = sample(n * n, 4).reshape(n, n)
        a, b = first.copy(), first.copy()
        return lambda: f(first, a, b).sum()
    if name == "distances":
        p, out = sample(n * 16, 5).reshape(n, 16), np.zeros((n, n))
        return lambda: (f(p, out), out.sum())[1]
    if name == "prefix":
        x, out = sample(n, 6), np.zeros(n)
        return lambda: (f(x, out), out[-1])[1]
    if name == "histogram":
        x = sample(n, 7)

        def run():
            bins = np.zeros((PARTS, 256), np.int64)
            f(x, bins)
            return (bins.sum(axis=0) * np.arange(256)).sum()

        return run
    a, b, c = sample(n * n, 8).reshape(n, n), sample(n * n, 9).reshape(n, n), np.zeros((n, n))
    return lambda: (f(a, b, c), c.sum())[1]


def erf(x):
    """NumPy has no erf; this is its users' way, without another library."""
    return np.frompyfunc(math.erf, 1, 1)(x).astype(np.float64)


def numpy_runs(name, n):
    if name == "mandelbrot":

        def run():
            c = (-2 + 2.5 * np.arange(n) / n)[None, :] + 1j * (-1.25 + 2.5 * np.arange(n) / n)[:, None]
            c = c.ravel()
            z = np.zeros_like(c)
            counts = np.zeros(c.size, np.int32)
            live = np.arange(c.size)
            for _ in range(100):
                zl = z[live]
                inside = zl.real * zl.real + zl.imag * zl.imag <= 4
                live, zl = live[inside], zl[inside]
                counts[live] += 1
                x, y = zl.real, zl.imag
                z[live] = (x * x - y * y + c[live].real) + 1j * (2 * x * y + c[live].imag)
            return counts.sum()

        return run
    if name == "pi":

        def run():
            z = mix(np.arange(n, dtype=np.uint64))
            x = (z >> np.uint64(32)) / 4294967296.0
            y = (z & np.uint64(0xFFFFFFFF)) / 4294967296.0
            return np.count_nonzero(x * x + y * y < 1)

        return run
    if name == "blackscholes":

        def run():
            r, sigma = 0.02, 0.3
            i = np.arange(n)
            s, k, t = 50.0 + i % 100, 60.0 + i % 80, 0.25 + (i % 16) / 8
            d1 = (np.log(s / k) + (r + sigma * sigma / 2) * t) / (sigma * np.sqrt(t))
            d2 = d1 - sigma * np.sqrt(t)
            return (s * (0.5 + 0.5 * erf(d1 / math.sqrt(2))) - k * np.exp(-r * t) * (0.5 + 0.5 * erf(d2 / math.sqrt(2)))).sum()

        return run
    if name == "nbody":
        x, y, z = sample(n, 1), sample(n, 2), sample(n, 3)

        def run():
            dx, dy, dz = x[None, :] - x[:, None], y[None, :] - y[:, None], z[None, :] - z[:, None]
            d = dx * dx + dy * dy + dz * dz + 1e-4
            w = 1 / (d * np.sqrt(d))
            return (abs((dx * w).sum(axis=1)) + abs((dy * w).sum(axis=1)) + abs((dz * w).sum(axis=1))).sum()

        return run
    if name == "jacobi":
        first = sample(n * n, 4).reshape(n, n)

        def run():
            a, b = first.copy(), first.copy()
            for _ in range(10):
                b[1:-1, 1:-1] = 0.25 * (a[:-2, 1:-1] + a[2:, 1:-1] + a[1:-1, :-2] + a[1:-1, 2:])
                a, b = b, a
            return a.sum()

        return run
    if name == "distances":
        p = sample(n * 16, 5).reshape(n, 16)

        def run():
            out = np.zeros((n, n))
            for k in range(16):
                v = p[:, None, k] - p[None, :, k]
                out += v * v
            return np.sqrt(out).sum()

        return run
    if name == "prefix":
        x = sample(n, 6)
        return lambda: np.cumsum(x)[-1]
    if name == "histogram":
        x = sample(n, 7)
        return lambda: (np.bincount((x * 256).astype(np.uint8), minlength=256) * np.arange(256)).sum()
    a, b = sample(n * n, 8).reshape(n, n), sample(n * n, 9).reshape(n, n)
    return lambda: (a @ b).sum()


def measure(kernel, side, run):
    times = []
    for i in range(ROUNDS + 1):
        begin = time.perf_counter()
        check = run()
        if i:
            times.append(time.perf_counter() - begin)
    print(json.dumps({"Kernel": kernel, "Side": side, "Seconds": statistics.median(times), "Check": float(check)}), flush=True)


def end_with_parent():
    def wait():
        sys.stdin.read()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


if "--end-with-stdin" in sys.argv:
    sys.argv.remove("--end-with-stdin")
    end_with_parent()
numba.set_num_threads(min(THREADS, numba.config.NUMBA_NUM_THREADS))
for arg in sys.argv[3:]:
    name, n = arg.split("=")
    measure(name, "numba", numba_runs(False, name, int(n)))
    measure(name, "numba fastmath", numba_runs(True, name, int(n)))
    measure(name, "NumPy", numpy_runs(name, int(n)))
