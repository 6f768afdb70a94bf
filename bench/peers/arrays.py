"""Hands one large array to two worker processes, as bench/shm.go does.

    arrays.py PEER --bytes N       PEER is shared_memory or joblib

The workers are up and have imported numpy before anything is timed. Prints one
JSON object: seconds and bytes, see Hand in bench/shm.go.
"""

import argparse
import gc
import json
import multiprocessing
import os
import tempfile
import time
from multiprocessing import resource_tracker, shared_memory

import numpy as np

import work
from peers import end_with_parent

WORKERS = 2


def pss(pids):
    """Memory of the processes, what they share counted once."""
    return sum(kilobytes(f"/proc/{pid}/smaps_rollup", "Pss:") for pid in pids)


def kilobytes(file, key):
    with open(file) as f:
        for line in f:
            if line.startswith(key):
                return int(line.split()[1]) << 10
    raise KeyError(key)


def fill(a):
    """0, 1, ... 999, 0, 1 and so on, without a copy beside it."""
    period = np.arange(1000, dtype=np.float64)
    whole = len(a) // 1000 * 1000
    a[:whole].reshape(-1, 1000)[:] = period
    a[whole:] = period[: len(a) - whole]


# joblib: the workers get the array as an argument.


class Joblib:
    def __init__(self, parallel):
        from joblib import delayed

        self.call = lambda f, a: parallel(delayed(f)(a) for _ in range(WORKERS))
        small = np.zeros(1 << 18)  # 2 MiB, so that it goes the same way
        self.pids = self.both(work.slow_touch, small)

    def both(self, f, a):
        """Calls f until each worker has."""
        pids = set()
        while len(pids) < WORKERS:
            pids.update(pid for _, pid in self.call(f, a))
        return pids

    def shared(self, n):
        """An array that is in a memory-mapped file from the start."""
        self.file = tempfile.NamedTemporaryFile(dir="/dev/shm", prefix="weft-bench-")
        return np.memmap(self.file.name, dtype=np.float64, mode="w+", shape=(n,))

    def hand(self, a):
        return [v for v, _ in self.call(work.touch, a)]

    def read(self, a):
        out = self.call(work.add_up, a)
        return [v for v, _ in out], len({pid for _, pid in out})

    def copy_and_hand(self, a):
        return self.hand(a)  # joblib copies it into a file by itself

    def read_copy(self, a):
        return self.read(a)

    def release(self):
        self.both(work.drop, 0)
        if hasattr(self, "file"):
            self.file.close()
            del self.file


# shared_memory: the workers wait for names in a pipe.


def serve(pipe):
    while (message := pipe.recv()) is not None:
        what, name, n = message
        if what == "open":
            memory = shared_memory.SharedMemory(name=name)
            a = np.ndarray((n,), dtype=np.float64, buffer=memory.buf)
            pipe.send(float(a[0] + a[-1]))
        elif what == "sum":
            pipe.send(float(a.sum()))
        else:
            del a
            memory.close()
            pipe.send(0.0)


class SharedMemory:
    def __init__(self):
        resource_tracker.ensure_running()  # one for all; else each worker's takes the memory away
        self.pipes, self.workers = [], []
        for _ in range(WORKERS):
            mine, theirs = multiprocessing.Pipe()
            p = multiprocessing.Process(target=serve, args=(theirs,), daemon=True)
            p.start()
            self.pipes.append(mine)
            self.workers.append(p)
        self.pids = {p.pid for p in self.workers}
        self.array = self.shared(1 << 18)
        self.hand(self.array)
        self.release()

    def ask(self, *message):
        for p in self.pipes:
            p.send(message)
        return [p.recv() for p in self.pipes]

    def shared(self, n):
        self.memory = shared_memory.SharedMemory(create=True, size=8 * n)
        return np.ndarray((n,), dtype=np.float64, buffer=self.memory.buf)

    def hand(self, a):
        return self.ask("open", self.memory.name, len(a))

    def read(self, a):
        return self.ask("sum", "", 0), WORKERS

    def copy_and_hand(self, a):
        self.copy = self.shared(len(a))
        self.copy[:] = a
        return self.hand(self.copy)

    def read_copy(self, a):
        return self.read(self.copy)

    def release(self):
        self.ask("close", "", 0)
        self.array = self.copy = None
        self.memory.close()
        self.memory.unlink()

    def end(self):
        for p in self.pipes:
            p.send(None)
        for p in self.workers:
            p.join()


def measure(peer, n):
    pids = [os.getpid(), *peer.pids]
    want = sum(range(1000)) * (n // 1000) + sum(range(n % 1000))
    ends = float((n - 1) % 1000)
    out = {}

    def step(name, make, hand, read):
        gc.collect()
        base = pss(pids)
        a = make(n)
        fill(a)
        begin = time.perf_counter()
        got = hand(a)
        out[name] = time.perf_counter() - begin
        assert got == [ends] * WORKERS, got
        begin = time.perf_counter()
        sums, workers = read(a)
        out[name + "_read"] = time.perf_counter() - begin
        assert sums == [want] * WORKERS, sums
        while workers < WORKERS:  # one took both; the memory is only told when each has read all
            _, workers = read(a)
        out[name + "_memory"] = pss(pids) - base

    step("shared", peer.shared, peer.hand, peer.read)
    peer.release()
    step("plain", np.empty, peer.copy_and_hand, peer.read_copy)
    print(json.dumps(out), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("peer", choices=["shared_memory", "joblib"])
    parser.add_argument("--bytes", type=int, required=True)
    parser.add_argument("--end-with-stdin", action="store_true")
    args = parser.parse_args()
    if args.end_with_stdin:
        end_with_parent()
    n = args.bytes // 8
    if args.peer == "joblib":
        from joblib import Parallel

        with Parallel(n_jobs=WORKERS, batch_size=1, pre_dispatch="all") as parallel:
            peer = Joblib(parallel)
            measure(peer, n)
            peer.release()
    else:
        peer = SharedMemory()
        measure(peer, n)
        peer.release()
        peer.end()


if __name__ == "__main__":
    main()
