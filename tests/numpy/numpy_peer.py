"""NumPy's side of tests/live_numpy.rs: one job a line on stdin, one answer a line on stdout.

A job is a JSON object whose "do" says what to do with the one array that is open. Elements
travel as hexadecimal bytes in C order, just as they are stored.
"""

import json
import sys

import numpy as np

np.seterr(invalid="ignore")


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
            case "reduce":
                answer = reductions(array)
            case "close":
                array = None
                answer = {}
        print(json.dumps(answer), flush=True)


def contents(array):
    return {"shape": array.shape, "hex": array.tobytes(order="C").hex()}


def reductions(array):
    """Sums, means and extremes as text: exact for integers, in double precision for floats."""
    kind = array.dtype.kind
    wide = {"f": "f8", "c": "c16"}.get(kind, "O")
    axes = (None, 0, 1, 2)
    sums = [np.asarray(array.sum(axis=axis, dtype=wide)) for axis in axes]
    if wide == "O":
        # `mean` of integers of 64 bits rounds each of them to a float.
        means = [one / (array.size // one.size) for one in sums]
    elif wide == "f8":
        means = [array.mean(axis=axis, dtype=wide) for axis in axes]
    else:
        # Division by a complex count turns NaN in one part into NaN in both.
        means = [one.copy() for one in sums]
        for mean, axis in zip(means, axes):
            mean.real = array.real.mean(axis=axis, dtype="f8")
            mean.imag = array.imag.mean(axis=axis, dtype="f8")
    flat = lambda arrays: [[text(number) for number in np.ravel(one)] for one in arrays]
    return {
        "sum": flat(sums)[0][0],
        "mean": flat(means)[0][0],
        "max": text(array.max()),
        "min": text(array.min()),
        "sums": flat(sums[1:]),
        "means": flat(means[1:]),
    }


def text(number):
    if isinstance(number, (bool, np.bool_)):
        return str(bool(number)).lower()
    if isinstance(number, (int, np.integer)):
        return str(int(number))
    if isinstance(number, (complex, np.complexfloating)):
        return f"{float(number.real)!r} {float(number.imag)!r}"
    return repr(float(number))


main()
