#!/usr/bin/env python3
"""Writes the seeds of both targets: headers as NumPy and others write them, and bombs."""

import struct
from pathlib import Path

HERE = Path(__file__).parent


def dictionary(descr, shape="(2, 3)", order="False"):
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}"


def file(text, elements=b"", major=1, align=64):
    encoded = text.encode("utf-8" if major == 3 else "latin-1")
    length = "<H" if major == 1 else "<I"
    prefix = 8 + struct.calcsize(length)
    padding = -(prefix + len(encoded) + 1) % align
    encoded += b" " * padding + b"\n"
    start = b"\x93NUMPY" + bytes([major, 0]) + struct.pack(length, len(encoded))
    return start + encoded + elements


record = "[('id', '<u4'), (('the title', 'x'), '>f8', (2, 2)), ('', '|V4')]"
nested = "'|b1'"
for depth in range(16):
    nested = f"[('{depth}', {nested}, (1,))]"

# name: (descr, shape, fortran order, version, bytes of the elements)
ARRAYS = {
    "f64": ("'<f8'", "(2, 3)", "False", 1, 48),
    "f64-fortran": ("'<f8'", "(2, 3)", "True", 1, 48),
    "f64-0d": ("'<f8'", "()", "False", 1, 8),
    "f64-empty": ("'<f8'", "(0, 3)", "False", 1, 0),
    "f64-5d": ("'<f8'", "(1, 2, 1, 3, 1)", "True", 1, 48),
    "f32-big": ("'>f4'", "(5,)", "False", 1, 20),
    "f32-v2": ("'<f4'", "(5,)", "False", 2, 20),
    "f16": ("'<f2'", "(5,)", "False", 1, 10),
    "f16-big": ("'>f2'", "(5,)", "False", 1, 10),
    "bool": ("'|b1'", "(7,)", "False", 1, 7),
    "i8": ("'|i1'", "(7,)", "False", 1, 7),
    "i16-big": ("'>i2'", "(7,)", "False", 1, 14),
    "u32": ("'<u4'", "(7,)", "False", 1, 28),
    "u64-big": ("'>u8'", "(3,)", "False", 1, 24),
    "complex64": ("'<c8'", "(3,)", "False", 1, 24),
    "complex128-big": ("'>c16'", "(3,)", "False", 1, 48),
    "longdouble": ("'<f16'", "(3,)", "False", 1, 48),
    "bytes": ("'|S5'", "(3,)", "False", 1, 15),
    "unicode": ("'<U4'", "(3,)", "False", 1, 48),
    "void": ("'|V7'", "(3,)", "False", 1, 21),
    "datetime": ("'<M8[25s]'", "(3,)", "False", 1, 24),
    "timedelta": ("'>m8[ns]'", "(3,)", "False", 1, 24),
    "record": (record, "(2,)", "False", 1, 80),
    "record-latin-1": ("[('caf\xe9', '<f8')]", "(2,)", "False", 1, 16),
    "record-v3": ("[('\u03c0\U0001f980', '<f8')]", "(2,)", "False", 3, 16),
    "record-escaped": (r"[('\'\n\x07\u03c0', '<f8')]", "(2,)", "False", 1, 16),
    "record-nested": (nested, "(3,)", "False", 1, 3),
    "huge": ("'<f8'", "(1152921504606846975,)", "False", 1, 48),
    "overflow": ("'<f8'", "(4294967296, 4294967296)", "False", 1, 48),
    "overflow-beside-zero": ("'<f8'", "(0, 4294967296, 4294967296)", "False", 1, 0),
    "overflow-in-record": ("[('x', '<f8', (4294967296, 4294967296))]", "(1,)", "False", 1, 8),
    "past-any-integer": ("'<f8'", "(" + "9" * 50 + ",)", "False", 1, 8),
    "many-axes": ("'<f8'", "(" + "1, " * 70 + ")", "False", 1, 8),
    "python-2": ("'<f8'", "(2L, 3L)", "False", 1, 48),
    "objects": ("'|O'", "(2,)", "False", 1, 16),
    "negative": ("'<f8'", "(-1, 3)", "False", 1, 0),
    "size-0": ("'|S0'", "(3,)", "False", 1, 0),
}

# What other readers take seconds or the stack for, and texts that are no header.
TEXTS = {
    "parentheses-18": "(" * 18 + ")" * 18,
    "parentheses-open": "(" * 400,
    "brackets-in-shape": dictionary("'<f8'", "(" * 200),
    "brackets-in-descr": dictionary("[('x', " * 100),
    "braces": "{" * 200 + "1" + ":1}" * 200,
    "minus-signs": dictionary("'<f8'", "(" + "-" * 300 + "1,)"),
    "quotes": "{" + "'\\'" * 200,
    "commas": "{" + "," * 300 + "}",
    "key-twice": "{'descr': '<f8', 'descr': '<f8', 'shape': (), 'fortran_order': False}",
    "key-unknown": "{'descr': '<f8', 'shape': (), 'fortran_order': False, 'x': [1, {2: 3.5}]}",
    "no-dictionary": "['descr', None, True, b'x', -1.5]",
    "empty": "",
}


def seeds():
    for name, (descr, shape, order, major, size) in ARRAYS.items():
        # Zeros and ones are values of all types.
        elements = bytes(i % 2 for i in range(size))
        text = dictionary(descr, shape, order)
        yield name, file(text, elements, major)
        encoded = text.encode("utf-8" if major == 3 else "latin-1")
        yield f"{name}.spelled", bytes([major - 1]) + encoded + b"\n" + elements
    for name, text in TEXTS.items():
        yield name, file(text)
        yield f"{name}.spelled", b"\0" + text.encode() + b"\n"
    f64 = file(dictionary("'<f8'"), bytes(48))
    yield "cut-in-magic", f64[:4]
    yield "cut-in-length", f64[:9]
    yield "cut-in-header", f64[:60]
    yield "cut-in-elements", f64[:-1]
    yield "unaligned", file(dictionary("'<f8'"), bytes(48), align=1)
    yield "unaligned-big", file(dictionary("'>f8'"), bytes(48), align=1)
    yield "length-4-gib", b"\x93NUMPY\x02\x00" + b"\xff" * 4 + f64
    yield "version-4", b"\x93NUMPY\x04\x00" + f64[8:]
    yield "zip", b"PK\x03\x04" + bytes(26)


for target in ("npy_header", "npy_file"):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    for name, contents in seeds():
        (folder / name).write_bytes(contents)
