"""Compares the example `zarr_slabs` with zarr-python, TensorStore and Dask, both ways.

The first argument is the example, the second a folder for arrays.
"""

import itertools
import json
import pathlib
import subprocess
import sys

import dask.array
import numpy as np
import tensorstore
import zarr
from zarr.codecs import BytesCodec, ShardingCodec, TransposeCodec

EXAMPLE, WORK = sys.argv[1], pathlib.Path(sys.argv[2])
MODEL = pathlib.Path(__file__).parents[2] / "examples" / "data" / "jacksboro_dem.bin"


def run(*arguments):
    return subprocess.run([EXAMPLE, *map(str, arguments)], capture_output=True, text=True)


def written_here():
    """What the example writes is what three libraries read."""
    folder = WORK / "dem.zarr"
    run("write", folder).check_returncode()
    model = np.fromfile(MODEL, ">i2").reshape(344, 403)
    spec = {
        "driver": "zarr3",
        "kvstore": {"driver": "file", "path": str(folder)},
    }
    readers = {
        f"zarr-python {zarr.__version__}": lambda: zarr.open_array(folder, mode="r")[:],
        "TensorStore": lambda: tensorstore.open(spec).result().read().result(),
        f"Dask {dask.__version__}": lambda: dask.array.from_zarr(folder).compute(),
    }
    sizes = {path.stat().st_size for path in (folder / "c").glob("*/0")}
    assert sizes == {100 * 403 * 2}, sizes
    for name, read in readers.items():
        found = read()
        assert found.shape == model.shape and (found == model).all(), name
        print(f"{name} reads the slabs")


def written_there():
    """What zarr-python writes without compression is what the example maps."""
    shapes = [((), ()), ((19,), (5,)), ((13, 7), (4, 7)), ((13, 7), (5, 3)), ((5, 6, 7), (2, 6, 4))]
    kinds = ["u1", "i2", "u2", "i4", "i8", "f4", "f8"]
    random = np.random.default_rng(1)
    count = missing = 0
    for (shape, chunks), kind, endian in itertools.product(shapes, kinds, ["little", "big"]):
        order = "<" if endian == "little" else ">"
        dtype = np.dtype(kind).newbyteorder(order)
        fill = np.nan if kind == "f4" else np.inf if kind == "f8" else 7
        folder = WORK / f"{count}.zarr"
        array = zarr.create_array(
            folder, shape=shape, chunks=chunks, dtype=np.dtype(kind), fill_value=fill,
            serializer=BytesCodec(endian=endian) if kind != "u1" else BytesCodec(endian=None),
            compressors=None, filters=None,
        )
        elements = random.integers(0, 100, shape).astype(kind)
        array[...] = elements
        # A chunk of nothing but the fill value is not written.
        if shape and count % 2:
            first = tuple(slice(0, n) for n in chunks)
            array[first] = fill
            elements[first] = fill
        npy = WORK / f"{count}.npy"
        result = run("read", folder, npy)
        assert result.returncode == 0, result.stderr
        found = np.load(npy)
        assert found.dtype == (dtype if kind != "u1" else np.dtype("u1")), found.dtype
        np.testing.assert_array_equal(found, elements)
        np.testing.assert_array_equal(found, array[...])
        missing += " 0 missing" not in result.stdout
        count += 1
    assert missing >= 20, missing
    print(f"{count} arrays of zarr-python are mapped, {missing} of them with a missing chunk")


def refused():
    """What cannot be mapped is refused by its name, and writes no file."""
    common = {"shape": (8, 8), "dtype": "f4", "chunks": (4, 4)}
    plain = {"compressors": None, "filters": None}
    cases = {
        "zstd": {**common},
        "transpose": {**common, **plain, "filters": [TransposeCodec(order=(1, 0))]},
        "sharding_indexed": {**common, **plain, "shards": (8, 8)},
        "complex64": {**common, **plain, "dtype": "c8"},
    }
    for name, options in cases.items():
        folder = WORK / f"{name}.zarr"
        zarr.create_array(folder, **options)[...] = 1
        npy = WORK / f"{name}.npy"
        result = run("read", folder, npy)
        assert result.returncode == 1 and name in result.stderr, (name, result)
        assert "panicked" not in result.stderr and not npy.exists(), result
    for name, member, value in [
        ("format 2", "zarr_format", 2),
        ("group", "node_type", "group"),
        ("unheard_of", "storage_transformers", [{"name": "unheard_of"}]),
        ("../", "chunk_key_encoding", {"name": "default", "configuration": {"separator": "../"}}),
    ]:
        folder = WORK / f"{member}.zarr"
        zarr.create_array(folder, **common, **plain)[...] = 1
        text = json.loads((folder / "zarr.json").read_text())
        (folder / "zarr.json").write_text(json.dumps({**text, member: value}))
        result = run("read", folder, WORK / f"{member}.npy")
        assert result.returncode == 1 and name in result.stderr, (name, result)
    long = WORK / "long.zarr"
    zarr.create_array(long, **common, **plain)[...] = 1
    with open(long / "c" / "1" / "1", "ab") as chunk:
        chunk.write(b"x")
    result = run("read", long, WORK / "long.npy")
    assert result.returncode == 1 and "longer than a chunk" in result.stderr, result
    short = WORK / "short.zarr"
    zarr.create_array(short, **common, **plain)[...] = 1
    with open(short / "c" / "1" / "1", "r+b") as chunk:
        chunk.truncate(63)
    result = run("read", short, WORK / "short.npy")
    assert "expected: 64, found: 63" in result.stderr, result
    assert not (WORK / "short.npy").exists()
    print(f"{len(cases) + 6} arrays are refused by what they have")


written_here()
written_there()
refused()
