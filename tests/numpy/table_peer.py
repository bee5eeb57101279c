"""NumPy's side of tests/numpy/table.rs: one line of code a job, its result or exception as answer.

Names keep their values from job to job. The answer to a statement is the array `a` after it.
"""

import json
import mmap
import os
import sys
import tempfile
import warnings

import numpy as np
from npy_append_array import NpyAppendArray
from numpy.lib.format import open_memmap

NAMES = {
    "np": np, "os": os, "mmap": mmap, "tempfile": tempfile, "open_memmap": open_memmap,
    "NpyAppendArray": NpyAppendArray,
}


def show(value):
    """Numbers of Python as themselves; arrays and numbers of NumPy as little-endian bytes."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [show(one) for one in value]
    if isinstance(value, np.dtype):
        return value.str
    array = np.asarray(value)
    little = array.astype(array.dtype.newbyteorder("<"), order="C")
    return {
        "dtype": array.dtype.str.lstrip("<>|="),
        "shape": array.shape,
        "hex": little.tobytes().hex(),
    }


def run(code):
    try:
        code = compile(code, "row", "eval")
    except SyntaxError:
        exec(code, NAMES)
        return show(NAMES.get("a"))
    return show(eval(code, NAMES))


def main():
    # Means of nothing and sums beyond the largest float are among the inputs.
    warnings.simplefilter("ignore")
    for line in sys.stdin:
        job = json.loads(line)
        NAMES.update(job["names"])
        try:
            answer = run(job["code"])
        except Exception as error:
            answer = {"error": type(error).__name__}
        print(json.dumps(answer), flush=True)


main()
