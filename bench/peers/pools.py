"""Runs items in a pool of processes, as bench/proc.go does.

    pools.py PEER --items N --spin ITERATIONS --chunk N --workers N

PEER is Pool.map, Pool.imap, ProcessPoolExecutor or "joblib loky"; --chunk 0 is
its default. Prints one JSON object: seconds until the pool had returned its
first result, and seconds for the items after that.
"""

import argparse
import json
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor

import work
from peers import end_with_parent


def pool_map(workers, chunk):
    pool = multiprocessing.Pool(workers)
    return lambda f, xs: pool.map(f, xs, chunk or None)


def pool_imap(workers, chunk):
    pool = multiprocessing.Pool(workers)
    return lambda f, xs: list(pool.imap(f, xs, chunk or 1))


def executor(workers, chunk):
    pool = ProcessPoolExecutor(workers)
    return lambda f, xs: list(pool.map(f, xs, chunksize=chunk or 1))


def loky(workers, chunk):
    from joblib import Parallel, delayed

    parallel = Parallel(n_jobs=workers, batch_size=chunk or "auto")
    parallel.__enter__()
    return lambda f, xs: parallel(delayed(f)(x) for x in xs)


PEERS = {"Pool.map": pool_map, "Pool.imap": pool_imap, "ProcessPoolExecutor": executor, "joblib loky": loky}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("--items", type=int, required=True)
    parser.add_argument("--spin", type=int, default=0)
    parser.add_argument("--chunk", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--end-with-stdin", action="store_true")
    args = parser.parse_args()
    if args.end_with_stdin:
        end_with_parent()
    if args.peer == "joblib loky":
        import joblib  # noqa: F401  loaded before the clock starts, as on the other side

    start = time.perf_counter()
    run = PEERS[args.peer](args.workers, args.chunk)
    assert run(work.noop, [1]) == [1]
    up = time.perf_counter() - start

    if args.spin:
        f, xs = work.spin, [args.spin] * args.items
        want = [work.spin_jump(args.spin)] * args.items
    else:
        f, xs = work.noop, list(range(args.items))
        want = xs
    start = time.perf_counter()
    got = run(f, xs)
    took = time.perf_counter() - start
    assert got == want, "wrong results"
    print(json.dumps({"start": up, "seconds": took}), flush=True)


if __name__ == "__main__":
    main()
