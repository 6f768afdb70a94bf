"""What the items of each kind of work do, and how fast this machine does it.

The functions are in a module of their own so that worker processes import
them by name, as a user's would.
"""

import os
import time
import urllib.parse

MUL, ADD, MASK = 1103515245, 12345, 0x7FFFFFFF  # as in bench/work.go


def noop(x):
    return x


async def noop_coroutine(x):
    return x


def spin(n):
    x = 1
    for _ in range(n):
        x = (x * MUL + ADD) & MASK
    return x


async def spin_coroutine(n):
    return spin(n)


def spin_jump(n):
    """spin(n) by repeated squaring of the step."""
    mul, add = 1, 0
    step_mul, step_add = MUL, ADD
    while n:
        if n & 1:
            mul, add = mul * step_mul & MASK, (add * step_mul + step_add) & MASK
        step_mul, step_add = step_mul * step_mul & MASK, (step_add * step_mul + step_add) & MASK
        n >>= 1
    return (mul + add) & MASK


def spin_rate(tries, seconds):
    """The most iterations of spin a microsecond, of several tries."""
    best, n = 0.0, 10_000
    for _ in range(tries):
        start = time.perf_counter()
        spin(n)
        best = max(best, n / (time.perf_counter() - start) / 1e6)
        n = int(best * seconds * 1e6)
    return best


def wake(_):
    """Busies a worker long enough that the next item goes to another."""
    time.sleep(0.02)


class Chunk:
    """f over a list: what a user writes who batches by hand."""

    def __init__(self, f):
        self.f = f

    def __call__(self, xs):
        f = self.f
        return [f(x) for x in xs]


class ProcessGet:
    """Gets pages over a connection that each worker process keeps."""

    pool = None

    def __init__(self, url):
        self.url = url

    def __call__(self, i):
        if ProcessGet.pool is None:
            import urllib3

            parts = urllib.parse.urlsplit(self.url)
            ProcessGet.pool = urllib3.HTTPConnectionPool(parts.hostname, parts.port, maxsize=1)
        return urllib3_get(ProcessGet.pool, i)


def urllib3_get(pool, i):
    response = pool.request("GET", f"/{i}")
    if response.status != 200:
        raise RuntimeError(f"GET /{i}: status {response.status}")
    return int(response.data)


def requests_get(session, url, i):
    response = session.get(f"{url}/{i}")
    response.raise_for_status()
    return int(response.content)


# What arrays.py has joblib's workers do. Each also says who did it.

kept = None


def touch(a):
    return float(a[0] + a[-1]), os.getpid()


def slow_touch(a):
    time.sleep(0.1)  # so that the other worker gets the other call
    return touch(a)


def add_up(a):
    global kept
    kept = a  # so that it is there when memory is measured
    return float(a.sum()), os.getpid()


def drop(_):
    global kept
    kept = None
    time.sleep(0.1)
    return 0.0, os.getpid()
