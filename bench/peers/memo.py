"""Times joblib.Memory on the work of bench/memo.go, one JSON object a line.

    memo.py hit DIR N       seconds a call that finds its small result
    memo.py miss DIR N      seconds a call that does not, of a function that does nothing
    memo.py hash BYTES      seconds to hash a float64 array
    memo.py load DIR BYTES  seconds to load a float64 array that is memory-mapped
"""

import json
import statistics
import sys
import time

import joblib
import numpy

OUT = "seconds"


def summary(i):
    return {"index": i, "name": f"item {i}", "mean": i / 3}


def array(n):
    return numpy.arange(n, dtype=numpy.float64)


def timed(f, rounds):
    times = []
    for i in range(rounds):
        begin = time.perf_counter()
        f(i)
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def main():
    what, args = sys.argv[1], sys.argv[2:]
    if what == "hit":
        cached = joblib.Memory(args[0], verbose=0).cache(summary)
        for i in range(100):
            cached(i)
        seconds = timed(lambda i: cached(i % 100), int(args[1]))
    elif what == "miss":
        cached = joblib.Memory(args[0], verbose=0).cache(summary)
        cached(-1)  # writes the function's code
        seconds = timed(cached, int(args[1]))
    elif what == "hash":
        a = array(int(args[0]) // 8)
        seconds = timed(lambda _: joblib.hash(a), 3)
    elif what == "load":
        cached = joblib.Memory(args[0], mmap_mode="r", verbose=0).cache(array)
        n = int(args[1]) // 8
        cached(n)
        seconds = timed(lambda _: cached(n), 21)
    else:
        raise SystemExit(f"memo.py: {what!r} is not measured here")
    print(json.dumps({OUT: seconds}))


if __name__ == "__main__":
    main()
