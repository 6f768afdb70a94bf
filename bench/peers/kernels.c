/* The work of bench/kernels.go in C with OpenMP:
 *
 *	kernels THREADS ROUNDS NAME=N...
 *
 * A JSON object for each kernel: the median of ROUNDS after one to warm up. */
#include <math.h>
#include <omp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t mix(uint64_t i) {
	uint64_t z = (i + 1) * 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static double *sample(long n, uint64_t seed) {
	double *s = malloc(n * sizeof *s);
	for (long i = 0; i < n; i++)
		s[i] = (double)(mix(i + (seed << 40)) >> 11) / 9007199254740992.0;
	return s;
}

static double total(const double *s, long n) {
	double sum = 0;
	for (long i = 0; i < n; i++)
		sum += s[i];
	return sum;
}

static double *x, *y, *z, *out, *first;
static int32_t *counts;

static void prepare(const char *k, long n) {
	if (!strcmp(k, "mandelbrot")) counts = malloc(n * n * sizeof *counts);
	if (!strcmp(k, "blackscholes")) out = malloc(n * sizeof *out);
	if (!strcmp(k, "nbody")) x = sample(n, 1), y = sample(n, 2), z = sample(n, 3), out = malloc(n * sizeof *out);
	if (!strcmp(k, "jacobi")) first = sample(n * n, 4), x = malloc(n * n * sizeof *x), y = malloc(n * n * sizeof *y);
	if (!strcmp(k, "distances")) x = sample(n * 16, 5), out = malloc(n * n * sizeof *out);
	if (!strcmp(k, "prefix")) x = sample(n, 6), out = malloc(n * sizeof *out);
	if (!strcmp(k, "histogram")) x = sample(n, 7);
	if (!strcmp(k, "matmul")) x = sample(n * n, 8), y = sample(n * n, 9), out = malloc(n * n * sizeof *out);
}

static double run(const char *name, long n) {
	if (!strcmp(name, "mandelbrot")) {
#pragma omp parallel for schedule(dynamic, 8)
		for (long r = 0; r < n; r++) {
			double ci = -1.25 + 2.5 * r / n;
			for (long c = 0; c < n; c++) {
				double cr = -2 + 2.5 * c / n, a = 0, b = 0;
				int k = 0;
				for (; k < 100; k++) {
					double aa = a * a, bb = b * b;
					if (aa + bb > 4) break;
					b = 2 * a * b + ci;
					a = aa - bb + cr;
				}
				counts[r * n + c] = k;
			}
		}
		double sum = 0;
		for (long i = 0; i < n * n; i++) sum += counts[i];
		return sum;
	}
	if (!strcmp(name, "pi")) {
		long inside = 0;
#pragma omp parallel for reduction(+ : inside)
		for (long i = 0; i < n; i++) {
			uint64_t h = mix(i);
			double a = (double)(h >> 32) / 4294967296.0, b = (double)(h & 0xffffffff) / 4294967296.0;
			inside += a * a + b * b < 1;
		}
		return inside;
	}
	if (!strcmp(name, "blackscholes")) {
		const double r = 0.02, sigma = 0.3;
#pragma omp parallel for
		for (long i = 0; i < n; i++) {
			double s = 50 + i % 100, k = 60 + i % 80, t = 0.25 + (i % 16) / 8.0;
			double d1 = (log(s / k) + (r + sigma * sigma / 2) * t) / (sigma * sqrt(t)), d2 = d1 - sigma * sqrt(t);
			out[i] = s * (0.5 + 0.5 * erf(d1 / M_SQRT2)) - k * exp(-r * t) * (0.5 + 0.5 * erf(d2 / M_SQRT2));
		}
		return total(out, n);
	}
	if (!strcmp(name, "nbody")) {
#pragma omp parallel for
		for (long i = 0; i < n; i++) {
			double ax = 0, ay = 0, az = 0;
			for (long j = 0; j < n; j++) {
				double dx = x[j] - x[i], dy = y[j] - y[i], dz = z[j] - z[i];
				double d = dx * dx + dy * dy + dz * dz + 1e-4, w = 1 / (d * sqrt(d));
				ax += dx * w, ay += dy * w, az += dz * w;
			}
			out[i] = fabs(ax) + fabs(ay) + fabs(az);
		}
		return total(out, n);
	}
	if (!strcmp(name, "jacobi")) {
		memcpy(x, first, n * n * sizeof *x);
		memcpy(y, first, n * n * sizeof *y);
		for (int sweep = 0; sweep < 10; sweep++) {
#pragma omp parallel for
			for (long r = 1; r < n - 1; r++)
				for (long c = 1; c < n - 1; c++)
					y[r * n + c] = 0.25 * (x[(r - 1) * n + c] + x[(r + 1) * n + c] + x[r * n + c - 1] + x[r * n + c + 1]);
			double *t = x;
			x = y, y = t;
		}
		return total(x, n * n);
	}
	if (!strcmp(name, "distances")) {
#pragma omp parallel for
		for (long i = 0; i < n; i++)
			for (long j = 0; j < n; j++) {
				double s = 0;
				for (int k = 0; k < 16; k++) {
					double v = x[i * 16 + k] - x[j * 16 + k];
					s += v * v;
				}
				out[i * n + j] = sqrt(s);
			}
		return total(out, n * n);
	}
	if (!strcmp(name, "prefix")) {
		double sums[65] = {0};
#pragma omp parallel for
		for (int p = 0; p < 64; p++) {
			double s = 0;
			for (long i = n * p / 64; i < n * (p + 1) / 64; i++) s += x[i];
			sums[p + 1] = s;
		}
		for (int p = 0; p < 64; p++) sums[p + 1] += sums[p];
#pragma omp parallel for
		for (int p = 0; p < 64; p++) {
			double s = sums[p];
			for (long i = n * p / 64; i < n * (p + 1) / 64; i++) out[i] = s += x[i];
		}
		return out[n - 1];
	}
	if (!strcmp(name, "histogram")) {
		long bins[256] = {0};
#pragma omp parallel for reduction(+ : bins)
		for (long i = 0; i < n; i++) bins[(uint8_t)(int)(x[i] * 256)]++;
		double sum = 0;
		for (int i = 0; i < 256; i++) sum += (double)i * bins[i];
		return sum;
	}
#pragma omp parallel for
	for (long i = 0; i < n; i++) {
		memset(out + i * n, 0, n * sizeof *out);
		for (long k = 0; k < n; k++)
			for (long j = 0; j < n; j++) out[i * n + j] += x[i * n + k] * y[k * n + j];
	}
	return total(out, n * n);
}

static int compare(const void *a, const void *b) {
	double d = *(const double *)a - *(const double *)b;
	return (d > 0) - (d < 0);
}

int main(int argc, char **argv) {
	int rounds = atoi(argv[2]);
	double *t = malloc((rounds + 1) * sizeof *t);
	for (int a = 3; a < argc; a++) {
		char *name = strtok(argv[a], "=");
		long n = atol(strtok(NULL, "="));
		prepare(name, n);
		double check = 0;
		for (int i = 0; i <= rounds; i++) {
			double begin = omp_get_wtime();
			check = run(name, n);
			t[i] = omp_get_wtime() - begin;
		}
		qsort(t + 1, rounds, sizeof *t, compare);
		printf("{\"Kernel\": \"%s\", \"Side\": \"C -O3 OpenMP\", \"Seconds\": %.9f, \"Check\": %.17g}\n", name, t[1 + rounds / 2], check);
		fflush(stdout);
	}
}
