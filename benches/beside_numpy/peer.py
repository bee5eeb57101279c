"""NumPy's side of benches/beside_numpy.rs: one job a line on stdin, one answer on stdout.

A job is {"do": a function below, "path": a file, "runs": how often}; the answer has the result of
the last run and the seconds of all, closing and freeing included.
"""

import json
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
