"""NumPy's side of tests/live_npy.rs: one job a line on stdin, one answer a line on stdout.

A job is a JSON object. Elements travel as hexadecimal bytes in C order, just as they are stored.
"""

import ast
import io
import json
import sys
import warnings

import numpy as np
from numpy.lib import format as npy

READERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def read_header(file):
    """Reads magic string, version and header; only some versions have a public reader."""
    version = npy.read_magic(file)
    if version in READERS:
        return version, READERS[version](file)
    try:
        from numpy.lib._format_impl import _read_array_header
    except ImportError:
        from numpy.lib.format import _read_array_header
    return version, _read_array_header(file, version)


def descr_of(dtype):
    descr = npy.dtype_to_descr(dtype)
    return descr if isinstance(descr, str) else repr(descr)


def header(data):
    """What NumPy makes of the first bytes of a file."""
    _, (shape, fortran_order, dtype) = read_header(io.BytesIO(data))
    return {
        # Numbers beyond 64 bits are not JSON to everybody.
        "shape": [str(int(length)) for length in shape],
        "fortran_order": fortran_order,
        "descr": descr_of(dtype),
        "size": dtype.itemsize,
    }


def create(job):
    """Writes a file by np.save's own function, or mapped."""
    descr = job["descr"]
    descr = ast.literal_eval(descr) if descr.startswith("[") else descr
    dtype, shape = npy.descr_to_dtype(descr), tuple(job["shape"])
    elements = np.frombuffer(bytes.fromhex(job["hex"]), dtype).reshape(shape)
    array = copy(elements, job["order"])
    version = job["version"] and tuple(job["version"])
    if job["mapped"]:
        fortran_order = job["order"] == "F"
        mapped = npy.open_memmap(job["path"], "w+", dtype, shape, fortran_order, version)
        mapped[...] = array
        mapped.flush()
    else:
        with open(job["path"], "wb") as file:
            npy.write_array(file, array, version)
    return {}


def load(job):
    """Reads a file, into memory or mapped."""
    array = np.load(job["path"], mmap_mode="r" if job["mapped"] else None)
    with open(job["path"], "rb") as file:
        version, (_, fortran_order, _) = read_header(file)
    return {
        "shape": array.shape,
        "descr": descr_of(array.dtype),
        "fortran_order": fortran_order,
        "version": version[0],
        "hex": copy(array, "C").tobytes().hex(),
    }


def grow(job):
    """Appends elements by npy-append-array."""
    from npy_append_array import NpyAppendArray

    dtype, shape = np.dtype(job["descr"]), tuple(job["shape"])
    elements = np.frombuffer(bytes.fromhex(job["hex"]), dtype).reshape(shape)
    with NpyAppendArray(job["path"]) as array:
        array.append(copy(elements, job["order"]))
    return {}


def copy(array, order):
    """The same array in an order; NumPy's own copies have noise for padding."""
    zeros = np.zeros(array.shape, array.dtype, order)
    zeros[...] = array
    return zeros


def answer(job):
    match job["do"]:
        case "version":
            return {"numpy": np.__version__}
        case "header":
            try:
                return header(bytes.fromhex(job["hex"]))
            except Exception as error:
                return {"error": f"{type(error).__name__}: {error}"}
        case "create":
            return create(job)
        case "load":
            return load(job)
        case "rows":
            array = np.load(job["path"], mmap_mode="r" if job["mapped"] else None)
            return {"rows": len(array), "sum": str(array.sum(dtype="u8"))}
        case "grow":
            return grow(job)


def main():
    # Python warns of unknown escapes, NumPy of old headers and of new versions.
    warnings.simplefilter("ignore")
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


main()
