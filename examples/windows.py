import ast
import math

import dask
import dask.array
import numpy as np


def extent(window):
    """The element type, shape and place of a window of an array file."""
    descr = window["dtype"]
    literal = ast.literal_eval(descr) if descr.startswith("[") else descr
    dtype = np.lib.format.descr_to_dtype(literal)
    axis = -1 if window["fortran_order"] else 0
    shape = list(window["shape"])
    shape[axis] = 1
    row = dtype.itemsize * math.prod(shape)
    shape[axis] = window["end"] - window["start"]
    return dtype, tuple(shape), window["data_offset"] + window["start"] * row


def open_window(window, mode="r"):
    """Maps the rows of a window and nothing else of its file."""
    dtype, shape, offset = extent(window)
    order = "F" if window["fortran_order"] else "C"
    if 0 in shape:
        return np.empty(shape, dtype, order)
    return np.memmap(window["path"], dtype, mode, offset, shape, order)


def dask_array(windows):
    """Joins the windows of a partition to an array that workers map part by part."""
    parts = []
    for window in windows:
        dtype, shape, _ = extent(window)
        rows = dask.delayed(open_window)(window)
        parts.append(dask.array.from_delayed(rows, shape, dtype))
    return dask.array.concatenate(parts, -1 if windows[0]["fortran_order"] else 0)
