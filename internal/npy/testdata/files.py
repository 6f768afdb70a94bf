"""Writes the files of this directory, with NumPy:

    python files.py

Element i (in C order) of each array is what values() says, which the tests
say again.
"""

import os

import numpy as np
from numpy.lib import format

here = os.path.dirname(os.path.abspath(__file__))


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


def write(name, a, version=None):
    with open(os.path.join(here, name), "wb") as f:
        format.write_array(f, a, version=version)


DTYPES = ["float64", "float32", "int64", "int32", "uint8", "bool", "complex128"]
for d in DTYPES:
    a = values(d, (2, 3, 4))
    write(f"{d}_c.npy", a)
    write(f"{d}_f.npy", np.asfortranarray(a))
    write(f"{d}_big.npy", a.astype(a.dtype.newbyteorder(">")))
for n in 2, 3:
    write(f"float64_v{n}.npy", values("float64", (2, 3, 4)), version=(n, 0))
write("float64_0d.npy", values("float64", ()))
write("float64_1d.npy", values("float64", (7,)))
write("float64_empty.npy", values("float64", (3, 0, 2)))
write("special.npy", np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 5e-324, -1.7976931348623157e308]))
write("refused_int16.npy", np.arange(4, dtype="int16"))
write("refused_text.npy", np.array(["a", "bc"]))
write("refused_record.npy", np.zeros(2, dtype=[("x", "f8"), ("y", "i4")]))
with open(os.path.join(here, "refused_object.npy"), "wb") as f:
    format.write_array(f, np.array([None, {}], dtype=object), allow_pickle=True)
arrays = {d: values(d, (2, 3, 4)) for d in DTYPES}
np.savez(os.path.join(here, "stored.npz"), **arrays)
np.savez_compressed(os.path.join(here, "deflated.npz"), **arrays)
