"""Answers the questions of bench/frame.go, one JSON object a line.

    frame.py duckdb|polars|pandas|dask DIR THREADS BYTES
"""

import json
import os
import sys
import time

QUESTIONS = ["q1", "q2", "q3", "q4", "q5", "q7", "j1"]
CHECK = {"q1": "v1", "q2": "v1", "q3": "v1", "q4": "v3", "q5": "v3", "q7": "r", "j1": "w"}

SQL = {
    "q1": "SELECT id1, sum(v1) AS v1 FROM g GROUP BY id1",
    "q2": "SELECT id1, id2, sum(v1) AS v1 FROM g GROUP BY id1, id2",
    "q3": "SELECT id3, sum(v1) AS v1, avg(v3) AS v3 FROM g GROUP BY id3",
    "q4": "SELECT id4, avg(v1) AS v1, avg(v2) AS v2, avg(v3) AS v3 FROM g GROUP BY id4",
    "q5": "SELECT id6, sum(v1) AS v1, sum(v2) AS v2, sum(v3) AS v3 FROM g GROUP BY id6",
    "q7": "SELECT id3, max(v1) - min(v2) AS r FROM g GROUP BY id3",
    "j1": "SELECT id1, sum(w) AS w FROM g JOIN small USING (id6) GROUP BY id1",
}

KEYS = {"q1": ["id1"], "q2": ["id1", "id2"], "q3": ["id3"], "q4": ["id4"], "q5": ["id6"], "q7": ["id3"], "j1": ["id1"]}
AGGS = {
    "q1": {"v1": "sum"},
    "q2": {"v1": "sum"},
    "q3": {"v1": "sum", "v3": "mean"},
    "q4": {"v1": "mean", "v2": "mean", "v3": "mean"},
    "q5": {"v1": "sum", "v2": "sum", "v3": "sum"},
    "q7": {"v1": "max", "v2": "min"},
    "j1": {"w": "sum"},
}


def duckdb_side(directory, threads, memory):
    import duckdb

    con = duckdb.connect(config={"threads": threads, "memory_limit": f"{memory}B"})
    for name in ("g", "small"):
        con.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{directory}/{name}.parquet')")

    def ask(q):
        return con.execute(f"SELECT count(*), CAST(sum({CHECK[q]}) AS DOUBLE) FROM ({SQL[q]})").fetchone()

    return ask


def polars_side(directory, threads, memory):
    os.environ["POLARS_MAX_THREADS"] = str(threads)
    import polars as pl

    g = pl.scan_parquet(f"{directory}/g.parquet")
    small = pl.scan_parquet(f"{directory}/small.parquet")

    def ask(q):
        src = g.join(small, on="id6") if q == "j1" else g
        if q == "q7":
            out = src.group_by("id3").agg((pl.col("v1").max() - pl.col("v2").min()).alias("r"))
        else:
            out = src.group_by(KEYS[q]).agg([getattr(pl.col(c), f)() for c, f in AGGS[q].items()])
        out = out.collect()
        return out.height, float(out[CHECK[q]].sum())

    return ask


def frames(pd, directory, finish):
    def ask(q):
        cols = KEYS[q] + [c for c in AGGS[q] if c != "w"] + (["id6"] if q == "j1" else [])
        g = pd.read_parquet(f"{directory}/g.parquet", columns=cols)
        if q == "j1":
            g = g.merge(pd.read_parquet(f"{directory}/small.parquet"), on="id6")
        out = finish(g.groupby(KEYS[q]).agg(AGGS[q]))
        if q == "q7":
            out["r"] = out["v1"] - out["v2"]
        return len(out), float(out[CHECK[q]].sum())

    return ask


def pandas_side(directory, threads, memory):
    import pandas as pd

    return frames(pd, directory, lambda out: out)


def dask_side(directory, threads, memory):
    import dask
    import dask.dataframe as dd

    dask.config.set(scheduler="threads", num_workers=threads)
    return frames(dd, directory, lambda out: out.compute())


def main():
    side, directory, threads, memory = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    ask = {"duckdb": duckdb_side, "polars": polars_side, "pandas": pandas_side, "dask": dask_side}[side](directory, threads, memory)
    for q in QUESTIONS:
        begin = time.perf_counter()
        rows, check = ask(q)
        print(json.dumps({"question": q, "seconds": time.perf_counter() - begin, "rows": rows, "check": check}), flush=True)


if __name__ == "__main__":
    main()
