"""Times the Python libraries on the work that bench/peers.go describes.

    peers.py calibrate --workers N       how fast this machine runs the CPU work
    peers.py list --workers N            every (workload, peer, setting)
    peers.py run --work FILE [--peer P --setting S]

Everything is printed as JSON, one object a line. `run` prints workload, peer,
setting, start (seconds until the pool was made and had returned a first
result) and seconds (the work, with the pool up).
"""

import argparse
import asyncio
import concurrent.futures
import contextlib
import functools
import gc
import json
import multiprocessing
import os
import resource
import signal
import sys
import threading
import time
import urllib.parse

import work

# A contender is (peer, setting, once, open). open(w) is a context manager that
# starts what the library keeps between runs and gives run(f, items).
# once: so slow on this work that it is timed a single time.


def contenders(workload, workers):
    if workload == "noop":
        return computing(workers, chunks=[1_000, 10_000], slow_threads=False)
    if workload == "tiny":
        return computing(workers, chunks=[100, 1_000], slow_threads=False)
    if workload == "tail":
        return computing(workers, chunks=[8, 64], slow_threads=True)
    if workload == "http":
        return waiting()
    raise SystemExit(f"peers.py: no workload is called {workload!r}")


def computing(workers, chunks, slow_threads):
    w = workers
    yield "joblib loky", f"n_jobs={w}", False, joblib_pool("loky", w)
    for c in chunks:
        yield "joblib loky", f"n_jobs={w}, batch_size={c}", False, joblib_pool("loky", w, c)
    yield "joblib threading", f"n_jobs={w}", slow_threads, joblib_pool("threading", w)
    if not slow_threads:
        for c in chunks:
            yield "joblib threading", f"n_jobs={w}, batch_size={c}", False, joblib_pool("threading", w, c)
    yield "multiprocessing.Pool.map", f"processes={w}", False, pool_map(w)
    for c in chunks:
        yield "multiprocessing.Pool.map", f"processes={w}, chunksize={c}", False, pool_map(w, c)
    for c in [1, *chunks]:
        yield "multiprocessing.Pool.imap", f"processes={w}, chunksize={c}", False, pool_imap(w, c)
    yield "ThreadPoolExecutor", f"max_workers={w}", slow_threads, executor(threads, w)
    if not slow_threads:
        yield "ThreadPoolExecutor", "no max_workers", False, executor(threads, None)
    for c in [1, *chunks]:
        yield "ProcessPoolExecutor", f"max_workers={w}, chunksize={c}", False, executor(processes, w, c)
    if not slow_threads:
        yield "asyncio", "gather, in the loop", False, asyncio_coroutines(asyncio.Runner)
        yield "asyncio", "gather, in the loop, uvloop", False, asyncio_coroutines(uvloop_runner)
    for c in chunks:
        yield "asyncio", f"run_in_executor, {w} processes, {c} items each by hand", False, asyncio_processes(w, c)


def waiting():
    for n in [16, 32]:
        yield "joblib loky", f"n_jobs={n}", False, joblib_pool("loky", n)
    for n in [32, 64, 128]:
        yield "joblib threading", f"n_jobs={n}, urllib3", False, joblib_threads_get(n)
    for n in [32, 64]:
        yield "multiprocessing.Pool.map", f"processes={n}, chunksize=4", False, pool_map(n, 4)
        yield "multiprocessing.Pool.imap", f"processes={n}, chunksize=4", False, pool_imap(n, 4)
        yield "ProcessPoolExecutor", f"max_workers={n}, chunksize=4", False, executor(processes, n, 4)
    for n in [32, 64, 128]:
        yield "ThreadPoolExecutor", f"max_workers={n}, urllib3", False, threads_get(n, urllib3_getter)
    for n in [64, 128]:
        yield "ThreadPoolExecutor", f"max_workers={n}, requests.Session", False, threads_get(n, requests_getter)
    for n in [100, 200, 500, 1000]:
        yield "asyncio", f"aiohttp, limit={n}", False, asyncio_get(asyncio.Runner, n)
        yield "asyncio", f"aiohttp, limit={n}, uvloop", False, asyncio_get(uvloop_runner, n)


def joblib_pool(backend, jobs, batch="auto"):
    @contextlib.contextmanager
    def open(w):
        import joblib

        with joblib.Parallel(n_jobs=jobs, backend=backend, batch_size=batch) as parallel:
            yield lambda f, items: parallel(joblib.delayed(f)(x) for x in items)

    return open


def pool_map(size, chunk=None):
    @contextlib.contextmanager
    def open(w):
        with multiprocessing.Pool(size) as pool:
            yield lambda f, items: pool.map(f, items, chunk)

    return open


def pool_imap(size, chunk):
    @contextlib.contextmanager
    def open(w):
        with multiprocessing.Pool(size) as pool:
            yield lambda f, items: list(pool.imap(f, items, chunk))

    return open


threads = concurrent.futures.ThreadPoolExecutor
processes = concurrent.futures.ProcessPoolExecutor


def executor(kind, size, chunk=1):
    @contextlib.contextmanager
    def open(w):
        with kind(max_workers=size) as pool:
            yield lambda f, items: list(pool.map(f, items, chunksize=chunk))

    return open


def uvloop_runner():
    import uvloop

    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


def asyncio_coroutines(runner):
    coroutines = {work.noop: work.noop_coroutine, work.spin: work.spin_coroutine}

    @contextlib.contextmanager
    def open(w):
        with runner() as r:

            async def gather(f, items):
                return await asyncio.gather(*[f(x) for x in items])

            yield lambda f, items: r.run(gather(coroutines.get(f, work.noop_coroutine), items))

    return open


def asyncio_processes(size, chunk):
    @contextlib.contextmanager
    def open(w):
        with asyncio.Runner() as r, processes(max_workers=size) as pool:

            async def gather(f, items):
                loop = asyncio.get_running_loop()
                parts = await asyncio.gather(
                    *[
                        loop.run_in_executor(pool, work.Chunk(f), items[i : i + chunk])
                        for i in range(0, len(items), chunk)
                    ]
                )
                return [x for part in parts for x in part]

            yield lambda f, items: r.run(gather(f, items))

    return open


def urllib3_getter(w, connections):
    import urllib3

    parts = urllib.parse.urlsplit(w["url"])
    pool = urllib3.HTTPConnectionPool(parts.hostname, parts.port, maxsize=connections)
    return functools.partial(work.urllib3_get, pool), pool.close


def requests_getter(w, connections):
    import requests

    session = requests.Session()
    session.trust_env = False  # looks for proxies at every request otherwise
    session.mount("http://", requests.adapters.HTTPAdapter(pool_connections=1, pool_maxsize=connections))
    return functools.partial(work.requests_get, session, w["url"]), session.close


def threads_get(size, getter):
    @contextlib.contextmanager
    def open(w):
        with threads(max_workers=size) as pool:

            def run(f, items):
                if isinstance(f, work.ProcessGet):
                    f, close = getter(w, size)
                else:
                    close = lambda: None
                out = list(pool.map(f, items))
                close()
                return out

            yield run

    return open


def joblib_threads_get(jobs):
    inner = joblib_pool("threading", jobs)

    @contextlib.contextmanager
    def open(w):
        with inner(w) as run_items:

            def run(f, items):
                if isinstance(f, work.ProcessGet):
                    f, close = urllib3_getter(w, jobs)
                else:
                    close = lambda: None
                out = run_items(f, items)
                close()
                return out

            yield run

    return open


def asyncio_get(runner, limit):
    @contextlib.contextmanager
    def open(w):
        import aiohttp

        async def get(session, i):
            async with session.get(f"{w['url']}/{i}") as response:
                response.raise_for_status()
                return int(await response.read())

        async def gather(f, items):
            if not isinstance(f, work.ProcessGet):
                return await asyncio.gather(*[work.noop_coroutine(x) for x in items])
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=limit)) as session:
                return await asyncio.gather(*[get(session, i) for i in items])

        with runner() as r:
            yield lambda f, items: r.run(gather(f, items))

    return open


def prepare(w, n):
    """The function of the work, its items and the results that are right."""
    if w["kind"] == "spin":
        items = [round(us * w["rate"]) for us in w["micros"]]
        return work.spin, items[:n], [work.spin_jump(i) for i in items[:n]]
    items = list(range(w["items"]))[:n]
    if w["kind"] == "noop":
        return work.noop, items, items
    return work.ProcessGet(w["url"]), items, items


def timed(w, peer, setting, open, n, tries):
    f, items, want = prepare(w, n)
    gc.collect()
    begin = time.perf_counter()
    with open(w) as run:
        run(work.noop, [0])
        start = time.perf_counter() - begin
        # A small run that is not timed brings up every worker.
        run(work.wake, list(range(2 * w["workers"])))
        best = spent = 0
        for _ in range(tries):
            gc.collect()
            begin = time.perf_counter()
            got = run(f, items)
            elapsed = time.perf_counter() - begin
            best = min(best or elapsed, elapsed)
            spent += elapsed
            if list(got) != want:
                sys.exit(f"peers.py: {peer}, {setting} on {w['workload']}: wrong result")
            if spent > 0.5:
                break
    print(
        json.dumps({"workload": w["workload"], "peer": peer, "setting": setting, "start": start, "seconds": best}),
        flush=True,
    )


def calibrate(workers):
    """As calibrate in bench/work.go, with processes."""
    alone = work.spin_rate(150, 0.002)
    with multiprocessing.Pool(workers) as pool:
        pool.map(work.wake, range(2 * workers), 1)
        rates = pool.starmap(work.spin_rate, [(60, 0.005)] * workers, 1)
    print(json.dumps({"rate": alone, "crowded": alone / (sum(rates) / workers)}))


def end_with_parent():
    """Ends this process and its workers when standard input ends."""
    os.setpgid(0, 0)

    def watch():
        while os.read(0, 1024):
            pass
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["calibrate", "list", "run"])
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--work", help="the work, as JSON, written by the Go side")
    parser.add_argument("--peer")
    parser.add_argument("--setting")
    parser.add_argument("--items", type=int, help="only so many of the items")
    parser.add_argument("--tries", type=int, default=1, help="time so often, but not again after half a second; print the fastest")
    parser.add_argument("--end-with-stdin", action="store_true", help="end everything when standard input ends")
    args = parser.parse_args()
    if args.end_with_stdin:
        end_with_parent()

    # 2,000 connections need as many files.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    if args.command == "calibrate":
        calibrate(args.workers)
    elif args.command == "list":
        for workload in ["noop", "tiny", "tail", "http"]:
            for peer, setting, once, _ in contenders(workload, args.workers):
                print(json.dumps({"workload": workload, "peer": peer, "setting": setting, "once": once}))
    else:
        with open(args.work) as file:
            w = json.load(file)
        found = False
        for peer, setting, _, opener in contenders(w["workload"], w["workers"]):
            if args.peer in (None, peer) and args.setting in (None, setting):
                found = True
                timed(w, peer, setting, opener, args.items, args.tries)
        if not found:
            sys.exit(f"peers.py: {w['workload']} has no contender {args.peer!r} with {args.setting!r}")


if __name__ == "__main__":
    main()
