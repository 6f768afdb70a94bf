"""Times graph libraries on graphs of no-op tasks, one JSON object.

    graphs.py PEER SHAPE N    seconds to build and compute a graph of N tasks

SHAPE is wide, deep, diamond or layered, as bench/graph.go builds them. PEER is
"dask sync", "dask threads", "distributed", "joblib" or "ray"; joblib has no
graphs, so it is called once for each layer of tasks that don't need each other,
as its users do. The clock starts when the pool or cluster is
up and has done a task.
"""

import json
import random
import sys
import threading
import time


def inc(a):
    return a + 1


def add(a, b):
    return a + b


def build(shape, n, call_inc, call_add):
    """Returns what to compute, a list."""
    if shape == "wide":
        return [call_inc(0) for _ in range(n)]
    if shape == "deep":
        v = 0
        for _ in range(n):
            v = call_inc(v)
        return [v]
    if shape == "diamond":
        v = 0
        for _ in range(n // 3):
            v = call_add(call_inc(v), call_inc(v))
        return [v]
    if shape == "layered":
        rng = random.Random(1)
        layer = [0] * 100
        for _ in range(n // 100):
            layer = [call_add(rng.choice(layer), rng.choice(layer)) for _ in range(100)]
        return layer
    raise SystemExit(f"graphs.py: no shape is called {shape!r}")


def dask_on(scheduler):
    import dask

    delayed_inc, delayed_add = dask.delayed(inc, pure=False), dask.delayed(add, pure=False)
    dask.compute(delayed_inc(0), scheduler=scheduler)

    def run(shape, n):
        dask.compute(*build(shape, n, delayed_inc, delayed_add), scheduler=scheduler)

    return run


def distributed():
    import dask
    from dask.distributed import Client, LocalCluster

    client = Client(LocalCluster(dashboard_address=None, n_workers=2, threads_per_worker=1))
    delayed_inc, delayed_add = dask.delayed(inc, pure=False), dask.delayed(add, pure=False)
    client.compute(delayed_inc(0)).result()

    def run(shape, n):
        client.gather(client.compute(build(shape, n, delayed_inc, delayed_add)))

    return run


def joblib_loky():
    import joblib

    pool = joblib.Parallel(n_jobs=2)
    pool.__enter__()
    pool([joblib.delayed(inc)(0)])
    delayed_inc, delayed_add = joblib.delayed(inc), joblib.delayed(add)

    def run(shape, n):
        if shape == "wide":
            pool([delayed_inc(0) for _ in range(n)])
        elif shape == "deep":
            v = 0
            for _ in range(n):
                (v,) = pool([delayed_inc(v)])
        elif shape == "diamond":
            v = 0
            for _ in range(n // 3):
                a, b = pool([delayed_inc(v), delayed_inc(v)])
                (v,) = pool([delayed_add(a, b)])
        elif shape == "layered":
            rng = random.Random(1)
            layer = [0] * 100
            for _ in range(n // 100):
                layer = pool([delayed_add(rng.choice(layer), rng.choice(layer)) for _ in range(100)])
        else:
            raise SystemExit(f"graphs.py: no shape is called {shape!r}")

    return run


def ray_tasks():
    import ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    remote_inc, remote_add = ray.remote(inc), ray.remote(add)
    ray.get(remote_inc.remote(0))

    def run(shape, n):
        ray.get(build(shape, n, remote_inc.remote, remote_add.remote))

    return run


PEERS = {
    "dask sync": lambda: dask_on("sync"),
    "dask threads": lambda: dask_on("threads"),
    "distributed": distributed,
    "joblib": joblib_loky,
    "ray": ray_tasks,
}


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
    peer, shape, n = args[0], args[1], int(args[2])
    sys.setrecursionlimit(1_000_000)
    run = PEERS[peer]()
    begin = time.perf_counter()
    run(shape, n)
    print(json.dumps({"seconds": time.perf_counter() - begin}), flush=True)


if __name__ == "__main__":
    main()
    import os

    if "joblib" in sys.modules:  # its workers hold the pipe that the caller reads
        from joblib.externals.loky import get_reusable_executor

        get_reusable_executor().shutdown(wait=True, kill_workers=True)
    os._exit(0)  # without waiting for clusters to say goodbye
