"""Compares the files that ranks have written with what NumPy computes of the model."""

import sys

import numpy as np

STEPS = 4
CELL = 23.2


def positions(count, heights):
    """Returns between which heights each index lies, and how far."""
    last = (heights - 1) * STEPS
    step = np.arange(count) % (2 * last)
    step = np.minimum(step, 2 * last - step)
    low = step // STEPS
    return low, np.minimum(low + 1, heights - 1), step % STEPS / STEPS


def elevations(rows, columns):
    dem = np.fromfile(f"{sys.path[0]}/../data/jacksboro_dem.bin", ">i2").reshape(344, 403)
    low, high, weight = positions(rows, dem.shape[0])
    lines = dem[low] + (dem[high] - dem[low].astype(float)) * weight[:, None]
    low, high, weight = positions(columns, dem.shape[1])
    return lines[:, low] + (lines[:, high] - lines[:, low]) * weight


def hillshade(z):
    z = np.pad(z, 1, "edge")
    east, south = z[:, 2:] - z[:, :-2], z[2:] - z[:-2]
    east = (east[:-2] + 2 * east[1:-1] + east[2:]) / (8 * CELL)
    south = (south[:, :-2] + 2 * south[:, 1:-1] + south[:, 2:]) / (8 * CELL)
    slope = np.arctan(np.hypot(east, south))
    aspect = np.arctan2(south, -east)
    facing = np.sin(np.pi / 4) * np.sin(slope) * np.cos(np.pi * 3 / 4 - aspect)
    return 255 * np.maximum(np.cos(np.pi / 4) * np.cos(slope) + facing, 0)


what, folder = sys.argv[1:]
found = np.load(f"{folder}/elevation.npy", mmap_mode="r")
assert found.shape == (1000, 1024) and found.dtype == "<f4", (found.shape, found.dtype)
expected = elevations(*found.shape)
assert expected.min() > 0
if what == "killed":
    expected[400, 512:] = 0
    expected[401:667] = 0
    assert np.array_equal(found, expected)
    print("NumPy finds rows 0..400 and 667..1000, half of row 400, and zeros")
else:
    assert np.array_equal(found, expected)
    print("NumPy computes the same elevations")
    found = np.load(f"{folder}/hillshade.npy", mmap_mode="r")
    difference = np.abs(found - hillshade(expected)).max()
    assert found.std() > 10 and difference < 0.01, (found.std(), difference)
    print(f"NumPy computes the same hillshade within {difference:.6f}")
