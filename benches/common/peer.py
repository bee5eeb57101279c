"""NumPy's side of the benchmarks: one job a line on stdin, one answer a line on stdout.

A job is {"do": a function below, "path": a file, "runs": how often}; the answer has the result of
the last run and the seconds of all, closing and freeing included.
"""

import json
import os
import sys
import time

import numpy as np


def version(_):
    return np.__version__


def load_mapped_first(path):
    return float(np.load(path, mmap_mode="r")[0])


def load_mapped_sum(path):
    return float(np.load(path, mmap_mode="r").sum())


def load_sum(path):
    return float(np.load(path).sum())


def memmap_first(path):
    return float(np.memmap(path, np.float64, "r")[0])


def memmap_sum(path):
    return float(np.memmap(path, np.float64, "r").sum())


def fromfile_sum(path):
    return float(np.fromfile(path, np.float64).sum())


ROW = 512


def memmap_pick(path):
    array = np.memmap(path, np.float64, "r").reshape(-1, ROW)
    rows = np.arange(1000) * 2_654_435_761 % len(array)
    return float(array[rows, rows % ROW].sum())


def memmap_fill(path):
    if os.path.exists(path):
        os.remove(path)
    array = np.memmap(path, np.float64, "w+", shape=(1 << 18, ROW))
    array[:] = 1.5
    array.flush()
    return float(array[7, 7])


def change(array):
    array = array.reshape(-1, ROW)
    array[::100, 3] = -1.0
    return float(array[0, 3])


def load_change(path):
    return change(np.load(path))


def memmap_change(path):
    return change(np.memmap(path, np.float64, "c"))


def append(path, count, length):
    """Appends rows one by one by npy-append-array, which is no part of NumPy."""
    from npy_append_array import NpyAppendArray

    row = np.full((1, length // 8), 1.5)
    with NpyAppendArray(path, delete_if_exists=True) as array:
        for _ in range(count):
            array.append(row)
    return float(len(np.load(path, mmap_mode="r")))


def append_rows(path):
    return append(path, (100 << 20) // 4096, 4096)


def append_blocks(path):
    return append(path, 100, 1 << 20)


def main():
    for line in sys.stdin:
        job = json.loads(line)
        run, path, result = globals()[job["do"]], job["path"], None
        start = time.perf_counter()
        for _ in range(job["runs"]):
            result = run(path)
        seconds = time.perf_counter() - start
        print(json.dumps({"result": result, "seconds": seconds}), flush=True)


main()
