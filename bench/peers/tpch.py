"""Answers the questions of TPC-H from a directory of Parquet files, one JSON object a line.

    tpch.py duckdb|polars|pandas|dask|pyspark DIR THREADS BYTES QUERIES

QUERIES is the file with the questions in SQL, for the sides that take it. The check of an answer is the
sum of all its numbers.
"""

import datetime
import json
import os
import sys
import time

TABLES = ["customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier"]


def day(text):
    return datetime.datetime.strptime(text, "%Y-%m-%d")


def queries(path):
    out, name = {}, None
    for line in open(path):
        if line.startswith("-- q"):
            name = line[3:].strip()
            out[name] = ""
        elif name:
            out[name] += line
    return out


def total(rows):
    number = lambda v: not isinstance(v, (str, bytes, bool, datetime.date)) and v is not None
    return len(rows), float(sum(float(v) for r in rows for v in r if number(v)))


def duckdb_side(directory, threads, memory, text):
    import duckdb

    con = duckdb.connect(config={"threads": threads, "memory_limit": f"{memory}B"})
    for name in TABLES:
        con.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{directory}/{name}.parquet')")
    return lambda q: total(con.execute(text[q]).fetchall())


def pyspark_side(directory, threads, memory, text):
    from pyspark.sql import SparkSession

    spark = (
        SparkSession.builder.master(f"local[{threads}]")
        .config("spark.driver.memory", f"{memory >> 20}m")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", str(2 * threads))
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    for name in TABLES:
        spark.read.parquet(f"{directory}/{name}.parquet").createOrReplaceTempView(name)
    return lambda q: total([tuple(r) for r in spark.sql(text[q]).collect()])


def polars_side(directory, threads, memory, text):
    os.environ["POLARS_MAX_THREADS"] = str(threads)
    import polars as pl

    c, lit = pl.col, pl.lit
    t = {name: pl.scan_parquet(f"{directory}/{name}.parquet").with_columns(pl.selectors.decimal().cast(pl.Float64)) for name in TABLES}
    customer, lineitem, nation, orders = t["customer"], t["lineitem"], t["nation"], t["orders"]
    part, partsupp, region, supplier = t["part"], t["partsupp"], t["region"], t["supplier"]
    d = lambda text: day(text).date()
    price = c("l_extendedprice") * (1 - c("l_discount"))
    phone = c("c_phone").str.slice(0, 2)

    def join(left, right, l, r=None, how="inner"):
        return left.join(right, left_on=l, right_on=r or l, how=how)

    def q1():
        return (
            lineitem.filter(c("l_shipdate") <= d("1998-09-02"))
            .group_by("l_returnflag", "l_linestatus")
            .agg(
                c("l_quantity").sum().alias("sum_qty"), c("l_extendedprice").sum().alias("sum_base_price"),
                price.sum().alias("sum_disc_price"), (price * (1 + c("l_tax"))).sum().alias("sum_charge"),
                c("l_quantity").mean().alias("avg_qty"), c("l_extendedprice").mean().alias("avg_price"),
                c("l_discount").mean().alias("avg_disc"), pl.len().alias("count_order"),
            )
            .sort("l_returnflag", "l_linestatus")
        )

    def q2():
        europe = join(join(join(partsupp, supplier, "ps_suppkey", "s_suppkey"), nation, "s_nationkey", "n_nationkey"), region.filter(c("r_name") == "EUROPE"), "n_regionkey", "r_regionkey")
        all_ = join(europe, part.filter((c("p_size") == 15) & c("p_type").str.ends_with("BRASS")), "ps_partkey", "p_partkey")
        best = all_.group_by("ps_partkey").agg(c("ps_supplycost").min().alias("best"))
        return (
            join(all_, best, "ps_partkey").filter(c("ps_supplycost") == c("best"))
            .select("s_acctbal", "s_name", "n_name", c("ps_partkey").alias("p_partkey"), "p_mfgr", "s_address", "s_phone", "s_comment")
            .sort(["s_acctbal", "n_name", "s_name", "p_partkey"], descending=[True, False, False, False]).head(100)
        )

    def q3():
        x = join(customer.filter(c("c_mktsegment") == "BUILDING"), orders.filter(c("o_orderdate") < d("1995-03-15")), "c_custkey", "o_custkey")
        x = join(x, lineitem.filter(c("l_shipdate") > d("1995-03-15")), "o_orderkey", "l_orderkey")
        return (
            x.group_by(c("o_orderkey").alias("l_orderkey"), "o_orderdate", "o_shippriority").agg(price.sum().alias("revenue"))
            .sort(["revenue", "o_orderdate"], descending=[True, False]).head(10)
        )

    def q4():
        late = lineitem.filter(c("l_commitdate") < c("l_receiptdate"))
        x = orders.filter(c("o_orderdate").is_between(d("1993-07-01"), d("1993-10-01"), closed="left"))
        return join(x, late, "o_orderkey", "l_orderkey", "semi").group_by("o_orderpriority").agg(pl.len().alias("order_count")).sort("o_orderpriority")

    def q5():
        x = join(join(region.filter(c("r_name") == "ASIA"), nation, "r_regionkey", "n_regionkey"), customer, "n_nationkey", "c_nationkey")
        x = join(x, orders.filter(c("o_orderdate").is_between(d("1994-01-01"), d("1995-01-01"), closed="left")), "c_custkey", "o_custkey")
        x = join(x, lineitem, "o_orderkey", "l_orderkey")
        x = join(x, supplier, ["l_suppkey", "n_nationkey"], ["s_suppkey", "s_nationkey"])
        return x.group_by("n_name").agg(price.sum().alias("revenue")).sort("revenue", descending=True)

    def q6():
        return lineitem.filter(
            c("l_shipdate").is_between(d("1994-01-01"), d("1995-01-01"), closed="left")
            & c("l_discount").is_between(0.05 - 1e-9, 0.07 + 1e-9) & (c("l_quantity") < 24)
        ).select((c("l_extendedprice") * c("l_discount")).sum().alias("revenue"))

    def q7():
        two = nation.filter(c("n_name").is_in(["FRANCE", "GERMANY"])).select("n_nationkey", "n_name")
        s = join(supplier, two.rename({"n_name": "supp_nation"}), "s_nationkey", "n_nationkey")
        k = join(customer, two.rename({"n_name": "cust_nation"}), "c_nationkey", "n_nationkey")
        x = join(lineitem.filter(c("l_shipdate").is_between(d("1995-01-01"), d("1996-12-31"))), s, "l_suppkey", "s_suppkey")
        x = join(join(x, orders, "l_orderkey", "o_orderkey"), k, "o_custkey", "c_custkey").filter(c("supp_nation") != c("cust_nation"))
        keys = ["supp_nation", "cust_nation", "l_year"]
        return x.with_columns(c("l_shipdate").dt.year().alias("l_year")).group_by(keys).agg(price.sum().alias("revenue")).sort(keys)

    def q8():
        x = join(lineitem, part.filter(c("p_type") == "ECONOMY ANODIZED STEEL"), "l_partkey", "p_partkey")
        x = join(x, orders.filter(c("o_orderdate").is_between(d("1995-01-01"), d("1996-12-31"))), "l_orderkey", "o_orderkey")
        x = join(join(x, customer, "o_custkey", "c_custkey"), nation.select("n_nationkey", "n_regionkey"), "c_nationkey", "n_nationkey")
        x = join(x, region.filter(c("r_name") == "AMERICA"), "n_regionkey", "r_regionkey")
        x = join(join(x, supplier, "l_suppkey", "s_suppkey"), nation.select("n_nationkey", c("n_name").alias("nation")), "s_nationkey", "n_nationkey")
        return (
            x.group_by(c("o_orderdate").dt.year().alias("o_year"))
            .agg((pl.when(c("nation") == "BRAZIL").then(price).otherwise(0).sum() / price.sum()).alias("mkt_share")).sort("o_year")
        )

    def q9():
        x = join(lineitem, part.filter(c("p_name").str.contains("green", literal=True)), "l_partkey", "p_partkey")
        x = join(x, partsupp, ["l_suppkey", "l_partkey"], ["ps_suppkey", "ps_partkey"])
        x = join(join(join(x, supplier, "l_suppkey", "s_suppkey"), orders, "l_orderkey", "o_orderkey"), nation, "s_nationkey", "n_nationkey")
        return (
            x.group_by(c("n_name").alias("nation"), c("o_orderdate").dt.year().alias("o_year"))
            .agg((price - c("ps_supplycost") * c("l_quantity")).sum().alias("sum_profit")).sort(["nation", "o_year"], descending=[False, True])
        )

    def q10():
        x = join(customer, orders.filter(c("o_orderdate").is_between(d("1993-10-01"), d("1994-01-01"), closed="left")), "c_custkey", "o_custkey")
        x = join(join(x, lineitem.filter(c("l_returnflag") == "R"), "o_orderkey", "l_orderkey"), nation, "c_nationkey", "n_nationkey")
        keys = ["c_custkey", "c_name", "c_acctbal", "c_phone", "n_name", "c_address", "c_comment"]
        return x.group_by(keys).agg(price.sum().alias("revenue")).sort("revenue", descending=True).head(20)

    def q11():
        x = join(join(partsupp, supplier, "ps_suppkey", "s_suppkey"), nation.filter(c("n_name") == "GERMANY"), "s_nationkey", "n_nationkey")
        value = (c("ps_supplycost") * c("ps_availqty")).sum()
        x = x.group_by("ps_partkey").agg(value.alias("value"))
        return x.filter(c("value") > c("value").sum() * 0.0001).sort("value", descending=True)

    def q12():
        x = lineitem.filter(
            c("l_shipmode").is_in(["MAIL", "SHIP"]) & (c("l_commitdate") < c("l_receiptdate")) & (c("l_shipdate") < c("l_commitdate"))
            & c("l_receiptdate").is_between(d("1994-01-01"), d("1995-01-01"), closed="left")
        )
        high = c("o_orderpriority").is_in(["1-URGENT", "2-HIGH"])
        return join(x, orders, "l_orderkey", "o_orderkey").group_by("l_shipmode").agg(high.sum().alias("high"), (~high).sum().alias("low")).sort("l_shipmode")

    def q13():
        x = join(customer, orders.filter(~c("o_comment").str.contains("special.*requests")), "c_custkey", "o_custkey", "left")
        x = x.group_by("c_custkey").agg(c("o_orderkey").count().alias("c_count"))
        return x.group_by("c_count").agg(pl.len().alias("custdist")).sort(["custdist", "c_count"], descending=True)

    def q14():
        x = join(lineitem.filter(c("l_shipdate").is_between(d("1995-09-01"), d("1995-10-01"), closed="left")), part, "l_partkey", "p_partkey")
        promo = pl.when(c("p_type").str.starts_with("PROMO")).then(price).otherwise(0).sum()
        return x.select((100 * promo / price.sum()).alias("promo_revenue"))

    def q15():
        x = lineitem.filter(c("l_shipdate").is_between(d("1996-01-01"), d("1996-04-01"), closed="left"))
        x = x.group_by(c("l_suppkey").alias("s_suppkey")).agg(price.sum().alias("total_revenue"))
        x = x.filter(c("total_revenue") == c("total_revenue").max())
        return join(supplier, x, "s_suppkey").select("s_suppkey", "s_name", "s_address", "s_phone", "total_revenue")

    def q16():
        bad = supplier.filter(c("s_comment").str.contains("Customer.*Complaints"))
        x = part.filter((c("p_brand") != "Brand#45") & ~c("p_type").str.starts_with("MEDIUM POLISHED") & c("p_size").is_in([49, 14, 23, 45, 19, 3, 36, 9]))
        x = join(join(x, partsupp, "p_partkey", "ps_partkey"), bad, "ps_suppkey", "s_suppkey", "anti")
        keys = ["p_brand", "p_type", "p_size"]
        return x.group_by(keys).agg(c("ps_suppkey").n_unique().alias("supplier_cnt")).sort(["supplier_cnt"] + keys, descending=[True, False, False, False])

    def q17():
        x = join(lineitem, part.filter((c("p_brand") == "Brand#23") & (c("p_container") == "MED BOX")), "l_partkey", "p_partkey")
        mean = x.group_by("l_partkey").agg((0.2 * c("l_quantity").mean()).alias("few"))
        return join(x, mean, "l_partkey").filter(c("l_quantity") < c("few")).select((c("l_extendedprice").sum() / 7).alias("avg_yearly"))

    def q18():
        big = lineitem.group_by("l_orderkey").agg(c("l_quantity").sum().alias("sum_qty")).filter(c("sum_qty") > 300)
        x = join(join(orders, big, "o_orderkey", "l_orderkey"), customer, "o_custkey", "c_custkey")
        return (
            x.select("c_name", c("o_custkey").alias("c_custkey"), "o_orderkey", "o_orderdate", "o_totalprice", "sum_qty")
            .sort(["o_totalprice", "o_orderdate"], descending=[True, False]).head(100)
        )

    def q19():
        x = join(lineitem.filter(c("l_shipmode").is_in(["AIR", "AIR REG"]) & (c("l_shipinstruct") == "DELIVER IN PERSON")), part, "l_partkey", "p_partkey")
        kind = lambda brand, boxes, low, size: (
            (c("p_brand") == brand) & c("p_container").is_in(boxes) & c("l_quantity").is_between(low, low + 10) & c("p_size").is_between(1, size)
        )
        return x.filter(
            kind("Brand#12", ["SM CASE", "SM BOX", "SM PACK", "SM PKG"], 1, 5) | kind("Brand#23", ["MED BAG", "MED BOX", "MED PKG", "MED PACK"], 10, 10)
            | kind("Brand#34", ["LG CASE", "LG BOX", "LG PACK", "LG PKG"], 20, 15)
        ).select(price.sum().alias("revenue"))

    def q20():
        x = lineitem.filter(c("l_shipdate").is_between(d("1994-01-01"), d("1995-01-01"), closed="left"))
        x = x.group_by("l_partkey", "l_suppkey").agg((0.5 * c("l_quantity").sum()).alias("half"))
        x = join(join(partsupp, part.filter(c("p_name").str.starts_with("forest")), "ps_partkey", "p_partkey", "semi"), x, ["ps_partkey", "ps_suppkey"], ["l_partkey", "l_suppkey"])
        x = join(supplier, x.filter(c("ps_availqty") > c("half")), "s_suppkey", "ps_suppkey", "semi")
        return join(x, nation.filter(c("n_name") == "CANADA"), "s_nationkey", "n_nationkey").select("s_name", "s_address").sort("s_name")

    def q21():
        late = lineitem.filter(c("l_receiptdate") > c("l_commitdate"))
        many = lineitem.group_by("l_orderkey").agg(c("l_suppkey").n_unique().alias("all")).filter(c("all") > 1)
        one = late.group_by("l_orderkey").agg(c("l_suppkey").n_unique().alias("late")).filter(c("late") == 1)
        x = join(join(join(late, many, "l_orderkey"), one, "l_orderkey"), orders.filter(c("o_orderstatus") == "F"), "l_orderkey", "o_orderkey")
        x = join(join(x, supplier, "l_suppkey", "s_suppkey"), nation.filter(c("n_name") == "SAUDI ARABIA"), "s_nationkey", "n_nationkey")
        return x.group_by("s_name").agg(pl.len().alias("numwait")).sort(["numwait", "s_name"], descending=[True, False]).head(100)

    def q22():
        x = customer.with_columns(phone.alias("cntrycode")).filter(c("cntrycode").is_in(["13", "31", "23", "29", "30", "18", "17"]))
        mean = x.filter(c("c_acctbal") > 0).select(c("c_acctbal").mean().alias("mean"))
        x = join(x.join(mean, how="cross").filter(c("c_acctbal") > c("mean")), orders, "c_custkey", "o_custkey", "anti")
        return x.group_by("cntrycode").agg(pl.len().alias("numcust"), c("c_acctbal").sum().alias("totacctbal")).sort("cntrycode")

    own = locals()
    return lambda q: total(own[q]().collect().rows())


def frames(pd, directory, finish):
    """pandas, and dask, whose frames are much the same until finish."""

    def read(name, *columns):
        return pd.read_parquet(f"{directory}/{name}.parquet", columns=list(columns))

    def price(x):
        return x.l_extendedprice * (1 - x.l_discount)

    def with_price(x):
        return x.assign(revenue=price(x))

    def join(left, right, l, r=None, how="inner"):
        return left.merge(right, left_on=l, right_on=r or l, how=how)

    def among(column, low, high):
        return (column >= day(low)) & (column < day(high))

    def q1():
        x = read("lineitem", "l_returnflag", "l_linestatus", "l_quantity", "l_extendedprice", "l_discount", "l_tax", "l_shipdate")
        x = x[x.l_shipdate <= day("1998-09-02")]
        x = x.assign(disc=price(x), charge=price(x) * (1 + x.l_tax), q=x.l_quantity, p=x.l_extendedprice, n=1)
        how = {"l_quantity": "sum", "l_extendedprice": "sum", "disc": "sum", "charge": "sum", "q": "mean", "p": "mean", "l_discount": "mean", "n": "sum"}
        return finish(x.groupby(["l_returnflag", "l_linestatus"]).agg(how)).reset_index().sort_values(["l_returnflag", "l_linestatus"])

    def q2():
        x = join(read("partsupp", "ps_partkey", "ps_suppkey", "ps_supplycost"), read("supplier", "s_suppkey", "s_nationkey", "s_acctbal", "s_name", "s_address", "s_phone", "s_comment"), "ps_suppkey", "s_suppkey")
        r = read("region", "r_regionkey", "r_name")
        x = join(join(x, read("nation", "n_nationkey", "n_regionkey", "n_name"), "s_nationkey", "n_nationkey"), r[r.r_name == "EUROPE"], "n_regionkey", "r_regionkey")
        p = read("part", "p_partkey", "p_size", "p_type", "p_mfgr")
        x = finish(join(x, p[(p.p_size == 15) & p.p_type.str.endswith("BRASS")], "ps_partkey", "p_partkey"))
        x = x[x.ps_supplycost == x.groupby("ps_partkey").ps_supplycost.transform("min")]
        x = x.sort_values(["s_acctbal", "n_name", "s_name", "p_partkey"], ascending=[False, True, True, True]).head(100)
        return x[["s_acctbal", "s_name", "n_name", "p_partkey", "p_mfgr", "s_address", "s_phone", "s_comment"]]

    def q3():
        k, o, l = read("customer", "c_custkey", "c_mktsegment"), read("orders", "o_orderkey", "o_custkey", "o_orderdate", "o_shippriority"), read("lineitem", "l_orderkey", "l_extendedprice", "l_discount", "l_shipdate")
        x = join(k[k.c_mktsegment == "BUILDING"], o[o.o_orderdate < day("1995-03-15")], "c_custkey", "o_custkey")
        x = with_price(join(x, l[l.l_shipdate > day("1995-03-15")], "o_orderkey", "l_orderkey"))
        x = finish(x.groupby(["l_orderkey", "o_orderdate", "o_shippriority"]).agg({"revenue": "sum"})).reset_index()
        return x.sort_values(["revenue", "o_orderdate"], ascending=[False, True]).head(10)

    def q4():
        l, o = read("lineitem", "l_orderkey", "l_commitdate", "l_receiptdate"), read("orders", "o_orderkey", "o_orderdate", "o_orderpriority")
        late = l[l.l_commitdate < l.l_receiptdate][["l_orderkey"]].drop_duplicates()
        x = join(o[among(o.o_orderdate, "1993-07-01", "1993-10-01")], late, "o_orderkey", "l_orderkey")
        return finish(x.groupby("o_orderpriority").agg({"o_orderkey": "count"})).reset_index().sort_values("o_orderpriority")

    def q5():
        r, o = read("region", "r_regionkey", "r_name"), read("orders", "o_orderkey", "o_custkey", "o_orderdate")
        x = join(join(r[r.r_name == "ASIA"], read("nation", "n_nationkey", "n_regionkey", "n_name"), "r_regionkey", "n_regionkey"), read("customer", "c_custkey", "c_nationkey"), "n_nationkey", "c_nationkey")
        x = join(x, o[among(o.o_orderdate, "1994-01-01", "1995-01-01")], "c_custkey", "o_custkey")
        x = join(x, read("lineitem", "l_orderkey", "l_suppkey", "l_extendedprice", "l_discount"), "o_orderkey", "l_orderkey")
        x = with_price(join(x, read("supplier", "s_suppkey", "s_nationkey"), ["l_suppkey", "n_nationkey"], ["s_suppkey", "s_nationkey"]))
        return finish(x.groupby("n_name").agg({"revenue": "sum"})).reset_index().sort_values("revenue", ascending=False)

    def q6():
        l = read("lineitem", "l_shipdate", "l_discount", "l_quantity", "l_extendedprice")
        l = l[among(l.l_shipdate, "1994-01-01", "1995-01-01") & (l.l_discount > 0.05 - 1e-9) & (l.l_discount < 0.07 + 1e-9) & (l.l_quantity < 24)]
        return finish((l.l_extendedprice * l.l_discount).sum())

    def q7():
        n = read("nation", "n_nationkey", "n_name")
        n = n[n.n_name.isin(["FRANCE", "GERMANY"])]
        l = read("lineitem", "l_orderkey", "l_suppkey", "l_shipdate", "l_extendedprice", "l_discount")
        s = join(read("supplier", "s_suppkey", "s_nationkey"), n.rename(columns={"n_name": "supp_nation", "n_nationkey": "sn"}), "s_nationkey", "sn")
        k = join(read("customer", "c_custkey", "c_nationkey"), n.rename(columns={"n_name": "cust_nation", "n_nationkey": "cn"}), "c_nationkey", "cn")
        x = join(l[among(l.l_shipdate, "1995-01-01", "1997-01-01")], s, "l_suppkey", "s_suppkey")
        x = join(join(x, read("orders", "o_orderkey", "o_custkey"), "l_orderkey", "o_orderkey"), k, "o_custkey", "c_custkey")
        x = x[x.supp_nation != x.cust_nation]
        x = with_price(x.assign(l_year=x.l_shipdate.dt.year))
        keys = ["supp_nation", "cust_nation", "l_year"]
        return finish(x.groupby(keys).agg({"revenue": "sum"})).reset_index().sort_values(keys)

    def q8():
        p, o, r = read("part", "p_partkey", "p_type"), read("orders", "o_orderkey", "o_custkey", "o_orderdate"), read("region", "r_regionkey", "r_name")
        x = join(read("lineitem", "l_orderkey", "l_partkey", "l_suppkey", "l_extendedprice", "l_discount"), p[p.p_type == "ECONOMY ANODIZED STEEL"], "l_partkey", "p_partkey")
        x = join(x, o[among(o.o_orderdate, "1995-01-01", "1997-01-01")], "l_orderkey", "o_orderkey")
        x = join(join(x, read("customer", "c_custkey", "c_nationkey"), "o_custkey", "c_custkey"), read("nation", "n_nationkey", "n_regionkey"), "c_nationkey", "n_nationkey")
        x = join(x, r[r.r_name == "AMERICA"], "n_regionkey", "r_regionkey")
        n = read("nation", "n_nationkey", "n_name").rename(columns={"n_nationkey": "sn"})
        x = with_price(join(join(x, read("supplier", "s_suppkey", "s_nationkey"), "l_suppkey", "s_suppkey"), n, "s_nationkey", "sn"))
        x = x.assign(o_year=x.o_orderdate.dt.year, brazil=x.revenue.where(x.n_name == "BRAZIL", 0.0))
        x = finish(x.groupby("o_year").agg({"brazil": "sum", "revenue": "sum"})).reset_index()
        return x.assign(share=x.brazil / x.revenue)[["o_year", "share"]]

    def q9():
        p = read("part", "p_partkey", "p_name")
        x = join(read("lineitem", "l_orderkey", "l_partkey", "l_suppkey", "l_extendedprice", "l_discount", "l_quantity"), p[p.p_name.str.contains("green")], "l_partkey", "p_partkey")
        x = join(x, read("partsupp", "ps_partkey", "ps_suppkey", "ps_supplycost"), ["l_suppkey", "l_partkey"], ["ps_suppkey", "ps_partkey"])
        x = join(join(x, read("supplier", "s_suppkey", "s_nationkey"), "l_suppkey", "s_suppkey"), read("orders", "o_orderkey", "o_orderdate"), "l_orderkey", "o_orderkey")
        x = join(x, read("nation", "n_nationkey", "n_name"), "s_nationkey", "n_nationkey")
        x = x.assign(o_year=x.o_orderdate.dt.year, amount=price(x) - x.ps_supplycost * x.l_quantity)
        return finish(x.groupby(["n_name", "o_year"]).agg({"amount": "sum"})).reset_index().sort_values(["n_name", "o_year"], ascending=[True, False])

    def q10():
        o, l = read("orders", "o_orderkey", "o_custkey", "o_orderdate"), read("lineitem", "l_orderkey", "l_returnflag", "l_extendedprice", "l_discount")
        x = join(read("customer", "c_custkey", "c_name", "c_acctbal", "c_phone", "c_nationkey", "c_address", "c_comment"), o[among(o.o_orderdate, "1993-10-01", "1994-01-01")], "c_custkey", "o_custkey")
        x = with_price(join(join(x, l[l.l_returnflag == "R"], "o_orderkey", "l_orderkey"), read("nation", "n_nationkey", "n_name"), "c_nationkey", "n_nationkey"))
        x = finish(x.groupby(["c_custkey", "c_name", "c_acctbal", "c_phone", "n_name", "c_address", "c_comment"]).agg({"revenue": "sum"})).reset_index()
        return x.sort_values("revenue", ascending=False).head(20)

    def q11():
        n = read("nation", "n_nationkey", "n_name")
        x = join(join(read("partsupp", "ps_partkey", "ps_suppkey", "ps_supplycost", "ps_availqty"), read("supplier", "s_suppkey", "s_nationkey"), "ps_suppkey", "s_suppkey"), n[n.n_name == "GERMANY"], "s_nationkey", "n_nationkey")
        x = finish(x.assign(value=x.ps_supplycost * x.ps_availqty).groupby("ps_partkey").agg({"value": "sum"})).reset_index()
        return x[x.value > x.value.sum() * 0.0001].sort_values("value", ascending=False)

    def q12():
        l = read("lineitem", "l_orderkey", "l_shipmode", "l_commitdate", "l_receiptdate", "l_shipdate")
        l = l[l.l_shipmode.isin(["MAIL", "SHIP"]) & (l.l_commitdate < l.l_receiptdate) & (l.l_shipdate < l.l_commitdate) & among(l.l_receiptdate, "1994-01-01", "1995-01-01")]
        x = join(l, read("orders", "o_orderkey", "o_orderpriority"), "l_orderkey", "o_orderkey")
        high = x.o_orderpriority.isin(["1-URGENT", "2-HIGH"])
        x = x.assign(high=high.astype("int64"), low=(~high).astype("int64"))
        return finish(x.groupby("l_shipmode").agg({"high": "sum", "low": "sum"})).reset_index().sort_values("l_shipmode")

    def q13():
        o = read("orders", "o_orderkey", "o_custkey", "o_comment")
        x = join(read("customer", "c_custkey"), o[~o.o_comment.str.contains("special.*requests")], "c_custkey", "o_custkey", "left")
        x = finish(x.groupby("c_custkey").agg({"o_orderkey": "count"})).reset_index()
        x = x.groupby("o_orderkey").agg({"c_custkey": "count"}).reset_index()
        return x.sort_values(["c_custkey", "o_orderkey"], ascending=False)

    def q14():
        l = read("lineitem", "l_partkey", "l_shipdate", "l_extendedprice", "l_discount")
        x = with_price(join(l[among(l.l_shipdate, "1995-09-01", "1995-10-01")], read("part", "p_partkey", "p_type"), "l_partkey", "p_partkey"))
        x = x.assign(promo=x.revenue.where(x.p_type.str.startswith("PROMO"), 0.0))[["promo", "revenue"]]
        x = finish(x.sum())
        return 100 * x["promo"] / x["revenue"]

    def q15():
        l = read("lineitem", "l_suppkey", "l_shipdate", "l_extendedprice", "l_discount")
        x = finish(with_price(l[among(l.l_shipdate, "1996-01-01", "1996-04-01")]).groupby("l_suppkey").agg({"revenue": "sum"})).reset_index()
        s = finish(read("supplier", "s_suppkey", "s_name", "s_address", "s_phone"))
        return s.merge(x[x.revenue == x.revenue.max()], left_on="s_suppkey", right_on="l_suppkey").drop(columns="l_suppkey")

    def q16():
        p, s = read("part", "p_partkey", "p_brand", "p_type", "p_size"), read("supplier", "s_suppkey", "s_comment")
        p = p[(p.p_brand != "Brand#45") & ~p.p_type.str.startswith("MEDIUM POLISHED") & p.p_size.isin([49, 14, 23, 45, 19, 3, 36, 9])]
        bad = list(finish(s[s.s_comment.str.contains("Customer.*Complaints")].s_suppkey))
        x = join(p, read("partsupp", "ps_partkey", "ps_suppkey"), "p_partkey", "ps_partkey")
        keys = ["p_brand", "p_type", "p_size"]
        x = finish(x[~x.ps_suppkey.isin(bad)][keys + ["ps_suppkey"]].drop_duplicates().groupby(keys).agg({"ps_suppkey": "count"})).reset_index()
        return x.sort_values(["ps_suppkey"] + keys, ascending=[False, True, True, True])

    def q17():
        p = read("part", "p_partkey", "p_brand", "p_container")
        x = join(read("lineitem", "l_partkey", "l_quantity", "l_extendedprice"), p[(p.p_brand == "Brand#23") & (p.p_container == "MED BOX")], "l_partkey", "p_partkey")
        x = finish(x)
        return x[x.l_quantity < 0.2 * x.groupby("l_partkey").l_quantity.transform("mean")].l_extendedprice.sum() / 7

    def q18():
        l = read("lineitem", "l_orderkey", "l_quantity").groupby("l_orderkey").agg({"l_quantity": "sum"}).reset_index()
        x = join(read("orders", "o_orderkey", "o_custkey", "o_orderdate", "o_totalprice"), l[l.l_quantity > 300], "o_orderkey", "l_orderkey")
        x = finish(join(x, read("customer", "c_custkey", "c_name"), "o_custkey", "c_custkey"))
        x = x.sort_values(["o_totalprice", "o_orderdate"], ascending=[False, True]).head(100)
        return x[["c_name", "c_custkey", "o_orderkey", "o_orderdate", "o_totalprice", "l_quantity"]]

    def q19():
        l = read("lineitem", "l_partkey", "l_quantity", "l_extendedprice", "l_discount", "l_shipmode", "l_shipinstruct")
        l = l[l.l_shipmode.isin(["AIR", "AIR REG"]) & (l.l_shipinstruct == "DELIVER IN PERSON")]
        x = join(l, read("part", "p_partkey", "p_brand", "p_container", "p_size"), "l_partkey", "p_partkey")
        kind = lambda brand, boxes, low, size: (
            (x.p_brand == brand) & x.p_container.isin(boxes) & (x.l_quantity >= low) & (x.l_quantity <= low + 10) & (x.p_size >= 1) & (x.p_size <= size)
        )
        x = x[
            kind("Brand#12", ["SM CASE", "SM BOX", "SM PACK", "SM PKG"], 1, 5) | kind("Brand#23", ["MED BAG", "MED BOX", "MED PKG", "MED PACK"], 10, 10)
            | kind("Brand#34", ["LG CASE", "LG BOX", "LG PACK", "LG PKG"], 20, 15)
        ]
        return finish(price(x).sum())

    def q20():
        l, p, n = read("lineitem", "l_partkey", "l_suppkey", "l_quantity", "l_shipdate"), read("part", "p_partkey", "p_name"), read("nation", "n_nationkey", "n_name")
        x = l[among(l.l_shipdate, "1994-01-01", "1995-01-01")].groupby(["l_partkey", "l_suppkey"]).agg({"l_quantity": "sum"}).reset_index()
        x = join(join(read("partsupp", "ps_partkey", "ps_suppkey", "ps_availqty"), p[p.p_name.str.startswith("forest")], "ps_partkey", "p_partkey"), x, ["ps_partkey", "ps_suppkey"], ["l_partkey", "l_suppkey"])
        x = x[x.ps_availqty > 0.5 * x.l_quantity][["ps_suppkey"]].drop_duplicates()
        x = join(join(read("supplier", "s_suppkey", "s_name", "s_address", "s_nationkey"), x, "s_suppkey", "ps_suppkey"), n[n.n_name == "CANADA"], "s_nationkey", "n_nationkey")
        return finish(x[["s_name", "s_address"]]).sort_values("s_name")

    def q21():
        l, o, n = read("lineitem", "l_orderkey", "l_suppkey", "l_receiptdate", "l_commitdate"), read("orders", "o_orderkey", "o_orderstatus"), read("nation", "n_nationkey", "n_name")
        late = l[l.l_receiptdate > l.l_commitdate][["l_orderkey", "l_suppkey"]]
        count = lambda x, name: x[["l_orderkey", "l_suppkey"]].drop_duplicates().groupby("l_orderkey").agg({"l_suppkey": "count"}).reset_index().rename(columns={"l_suppkey": name})
        many, one = count(l, "all"), count(late, "late")
        x = join(join(late, many[many["all"] > 1], "l_orderkey"), one[one["late"] == 1], "l_orderkey")
        x = join(x, o[o.o_orderstatus == "F"], "l_orderkey", "o_orderkey")
        x = join(join(x, read("supplier", "s_suppkey", "s_name", "s_nationkey"), "l_suppkey", "s_suppkey"), n[n.n_name == "SAUDI ARABIA"], "s_nationkey", "n_nationkey")
        x = finish(x.groupby("s_name").agg({"l_orderkey": "count"})).reset_index()
        return x.sort_values(["l_orderkey", "s_name"], ascending=[False, True]).head(100)

    def q22():
        k = read("customer", "c_custkey", "c_phone", "c_acctbal")
        k = k.assign(cntrycode=k.c_phone.str.slice(0, 2))
        k = finish(k[k.cntrycode.isin(["13", "31", "23", "29", "30", "18", "17"])])
        k = k[k.c_acctbal > k[k.c_acctbal > 0].c_acctbal.mean()]
        has = finish(read("orders", "o_custkey").drop_duplicates())
        k = k[~k.c_custkey.isin(has.o_custkey)]
        return k.groupby("cntrycode").agg({"c_custkey": "count", "c_acctbal": "sum"}).reset_index().sort_values("cntrycode")

    own = locals()

    def ask(q):
        x = own[q]()
        if not hasattr(x, "columns"):
            return 1, float(x)
        return len(x), float(x.select_dtypes("number").sum().sum())

    return ask


def pandas_side(directory, threads, memory, text):
    import pandas as pd

    return frames(pd, directory, lambda x: x)


def dask_side(directory, threads, memory, text):
    import dask
    import dask.dataframe as dd

    dask.config.set(scheduler="threads", num_workers=threads)
    return frames(dd, directory, lambda x: x.compute())


def main():
    side, directory, threads, memory, text = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), queries(sys.argv[5])
    ask = globals()[side + "_side"](directory, threads, memory, text)
    for q in text:
        begin = time.perf_counter()
        rows, check = ask(q)
        print(json.dumps({"question": q, "seconds": time.perf_counter() - begin, "rows": rows, "check": check}), flush=True)


if __name__ == "__main__":
    main()
