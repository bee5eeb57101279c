"""NumPy's side of tests/live_numpy.rs: one job a line on stdin, one answer a line on stdout.

A job is a JSON object whose "do" says what to do with the one array that is open. Elements
travel as hexadecimal bytes in C order, just as they are stored.
"""

import json
import sys

import numpy as np


def dtype_of(description):
    """A type string, or the fields of a record: [name, type] or [name, type, shape]."""
    if isinstance(description, str):
        return np.dtype(description)
    return np.dtype([(name, kind, *map(tuple, shape)) for name, kind, *shape in description])


def main():
    array = None
    for line in sys.stdin:
        job = json.loads(line)
        match job["do"]:
            case "version":
                answer = {"numpy": np.__version__}
            case "open":
                shape = job["shape"]
                try:
                    array = np.memmap(
                        job["path"],
                        dtype=dtype_of(job["dtype"]),
                        mode=job["mode"],
                        offset=job["offset"],
                        shape=shape if shape is None else tuple(shape),
                        order=job["order"],
                    )
                    answer = contents(array)
                except (OSError, ValueError) as error:
                    answer = {"error": f"{type(error).__name__}: {error}"}
            case "assign":
                elements = np.frombuffer(bytes.fromhex(job["hex"]), array.dtype)
                array[...] = elements.reshape(array.shape)
                answer = contents(array)
            case "look":
                answer = contents(array)
            case "flush":
                array.flush()
                answer = contents(array)
            case "close":
                array = None
                answer = {}
        print(json.dumps(answer), flush=True)


def contents(array):
    return {"shape": array.shape, "hex": array.tobytes(order="C").hex()}


main()
