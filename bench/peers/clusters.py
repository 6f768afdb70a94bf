"""Runs one case on a cluster library and prints one JSON object.

    clusters.py PEER CASE N    {"seconds": ..., "check": ...}

PEER is "distributed" (a LocalCluster of two processes with one thread each) or
"ray" (two CPUs). The cases are those of bench/cluster.go, which compares the
check with its own. The clock starts when the cluster is up and both workers
have done a task, as it does for Weft.
"""

import json
import sys
import threading
import time

FLOATS = 10_000_000 // 8  # of a large result


def inc(a):
    return a + 1


def add(a, b):
    return a + b


def nap(a):
    time.sleep(0.010)
    return a + 1


def spin(a):
    end = time.perf_counter() + 16e-6
    while time.perf_counter() < end:
        pass
    return a + 1


def part(i):
    return sum(range(i, i + 1000))


def large(i):
    import numpy

    return numpy.full(FLOATS, float(i))


def add_large(a, b):
    return a + b


def first(a):
    return float(a[0]) + float(a[-1])


def layered(n, call):
    """The graph of bench/cluster.go: layers of 100, each task adds two."""
    layer = list(range(100))
    for l in range(n // 100):
        layer = [call(add, layer[(i * 37 + l * 11) % 100], layer[(i * 53 + l * 29 + 1) % 100]) for i in range(100)]
        # Kept small, so that all languages add the same integers.
        if l % 10 == 9:
            layer = [call(small, v) for v in layer]
    return layer


def small(a):
    return a % 1000003


def pairwise(values, call, f):
    while len(values) > 1:
        paired = [call(f, values[i], values[i + 1]) for i in range(0, len(values) - 1, 2)]
        if len(values) % 2:
            paired.append(values[-1])
        values = paired
    return values[0]


def work(case, n, each, call, get, earliest):
    """Runs a case by four functions of a library; returns its check.

    each(f, items) are the results of a map, call(f, *args) is a task, get(v)
    its result or those of a list, earliest(f, items) one result as soon as
    there is one.
    """
    if case == "no-ops":
        return sum(each(inc, range(n)))
    if case == "10 ms":
        return sum(each(nap, range(n)))
    if case == "16 us":
        return sum(each(spin, range(n)))
    if case == "chain":
        v = call(inc, 0)
        for _ in range(n - 1):
            v = call(inc, v)
        return get(v)
    if case == "tree":
        return get(pairwise([call(part, i) for i in range(n)], call, add))
    if case == "large":
        return get(call(first, pairwise([call(large, i) for i in range(n)], call, add_large)))
    if case == "layered":
        return sum(get(layered(n, call))) % 1000003
    if case == "first":
        earliest(nap, range(n))
        return 0
    raise SystemExit(f"clusters.py: no case is called {case!r}")


def distributed():
    from dask.distributed import Client, LocalCluster, as_completed

    cluster = LocalCluster(dashboard_address=None, n_workers=2, threads_per_worker=1, processes=True)
    client = Client(cluster)
    client.gather([client.submit(inc, 0, workers=[w], pure=False) for w in client.scheduler_info()["workers"]])

    def each(f, items):
        return client.gather(client.map(f, items, pure=False))

    def call(f, *args):
        return client.submit(f, *args, pure=False)

    def earliest(f, items):
        next(iter(as_completed(client.map(f, items, pure=False), with_results=True)))

    return each, call, client.gather, earliest


def ray_tasks():
    import ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error", object_store_memory=5_000_000_000)
    remotes = {}

    def call(f, *args):
        if f not in remotes:
            remotes[f] = ray.remote(f)
        return remotes[f].remote(*args)

    for f in (inc, add, nap, spin, part, large, add_large, first, small):
        call(f, 0) if f in (inc, nap, spin, part, small) else None
    ray.get([call(nap, 0) for _ in range(8)])

    def each(f, items):
        return ray.get([call(f, i) for i in items])

    def earliest(f, items):
        ready, _ = ray.wait([call(f, i) for i in items], num_returns=1)
        ray.get(ready)

    return each, call, ray.get, earliest


PEERS = {"distributed": distributed, "ray": ray_tasks}


def end_with_stdin():
    """Ends this process when its standard input does."""
    import os

    def watch():
        sys.stdin.read()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def main():
    args = sys.argv[1:]
    if "--end-with-stdin" in args:
        args.remove("--end-with-stdin")
        end_with_stdin()
    peer, case, n = args[0], args[1], int(args[2])
    functions = PEERS[peer]()
    begin = time.perf_counter()
    check = work(case, n, *functions)
    print(json.dumps({"seconds": time.perf_counter() - begin, "check": int(check)}), flush=True)


if __name__ == "__main__":
    main()
    import os

    os._exit(0)  # without waiting for clusters to say goodbye
