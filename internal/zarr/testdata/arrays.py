"""Writes arrays.zip, with zarr-python 3:

    python arrays.py

or, with a directory as argument, checks those that the tests wrote there.
Element i (in C order) of each array is what values() says, which the tests
say again; where only a part is written, the rest is the fill value.
"""

import os
import shutil
import sys
import tempfile

import numcodecs
import numpy as np
import zarr
from zarr.codecs import BytesCodec, Crc32cCodec, GzipCodec, TransposeCodec, ZstdCodec

here = os.path.dirname(os.path.abspath(__file__))
into = tempfile.mkdtemp()
SHAPE, CHUNKS, SHARDS = (5, 7), (2, 3), (4, 6)


def values(dtype, shape):
    i = np.arange(int(np.prod(shape)), dtype=np.int64)
    if dtype == "bool":
        v = i % 3 == 0
    elif dtype == "complex128":
        v = (i * 1.5 - 3) + 1j * (i + 0.25)
    elif dtype == "uint8":
        v = (i * 7 + 250) % 256
    elif dtype.startswith("int"):
        v = i * 1000003 - 5
    else:
        v = i * 1.5 - 3
    return v.astype(dtype).reshape(shape)


def write(name, dtype="float64", shape=SHAPE, part=None, **kw):
    code = kw.pop("code", dtype)
    kw.setdefault("chunks", CHUNKS if len(shape) == 2 else shape)
    a = zarr.create_array(os.path.join(into, name), shape=shape, dtype=code, overwrite=True, **kw)
    if part is None:
        a[...] = values(dtype, shape)
    else:
        a[part] = values(dtype, shape)[part]


def make():
    for d in ["float64", "float32", "int64", "int32", "uint8", "bool", "complex128"]:
        write(f"v3_{d}", d)
        write(f"v2_{d}", d, zarr_format=2, compressors=numcodecs.Zstd())
    v3 = dict(
        gzip=dict(compressors=GzipCodec()),
        none=dict(compressors=None),
        crc32c=dict(compressors=[ZstdCodec(), Crc32cCodec()]),
        big=dict(serializer=BytesCodec(endian="big")),
        transposed=dict(filters=TransposeCodec(order=(1, 0))),
        dots=dict(chunk_key_encoding={"name": "default", "separator": "."}),
        oldkeys=dict(chunk_key_encoding={"name": "v2", "separator": "."}),
        sharded=dict(shards=SHARDS),
        sharded_part=dict(shards=SHARDS, part=np.s_[:2, :3], fill_value=np.nan),
        part=dict(part=np.s_[:2, :3], fill_value=-np.inf),
    )
    for name, kw in v3.items():
        write("v3_" + name, **kw)
    write("v3_complex_part", "complex128", part=np.s_[:2, :3], fill_value=1 + 2j)
    write("v3_scalar", shape=())
    v2 = dict(
        gzip=dict(compressors=numcodecs.GZip()),
        zlib=dict(compressors=numcodecs.Zlib()),
        none=dict(compressors=None),
        big=dict(code=">f8", compressors=None),
        fortran=dict(order="F"),
        slashes=dict(chunk_key_encoding={"name": "v2", "separator": "/"}),
        part=dict(part=np.s_[:2, :3], fill_value=np.nan),
    )
    for name, kw in v2.items():
        kw.setdefault("compressors", numcodecs.Zstd())
        write("v2_" + name, zarr_format=2, **kw)
    write("v2_complex_part", "complex128", part=np.s_[:2, :3], fill_value=1 + 2j, zarr_format=2, compressors=None)
    write("v2_scalar", shape=(), zarr_format=2, compressors=None)
    write("refused_blosc", zarr_format=2, compressors=numcodecs.Blosc())
    zarr.create_group(os.path.join(into, "refused_group"), overwrite=True)
    zarr.create_group(os.path.join(into, "refused_group2"), overwrite=True, zarr_format=2)


def check(directory):
    names = sorted(n for n in os.listdir(directory) if not n.startswith("."))
    assert names
    for name in names:
        a = zarr.open_array(os.path.join(directory, name), mode="r")
        want = values(str(a.dtype), a.shape)
        if name.endswith("_part"):
            whole = np.full(a.shape, a.fill_value, a.dtype)
            whole[: SHARDS[0]] = want[: SHARDS[0]]
            want = whole
        np.testing.assert_array_equal(a[...], want, err_msg=name)
    print(len(names), "arrays read by zarr-python", zarr.__version__)


if len(sys.argv) > 1:
    check(sys.argv[1])
else:
    make()
    shutil.make_archive(os.path.join(here, "arrays"), "zip", into)
shutil.rmtree(into)
