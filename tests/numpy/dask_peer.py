"""Sums windows in two worker processes; jobs and answers are one line of JSON each."""

import json
import logging
import os
import pathlib
import sys

from dask.distributed import Client, LocalCluster

RECIPE = pathlib.Path(__file__).parents[2] / "examples" / "windows.py"
sys.path.insert(0, str(RECIPE.parent))
import windows as recipe


def part(window):
    from windows import open_window

    rows = open_window(window)
    return os.getpid(), int(rows.sum(dtype="i8")), list(rows.shape)


def answer(client, windows):
    workers = sorted(client.scheduler_info()["workers"])
    futures = [
        client.submit(part, window, workers=[workers[i % 2]], pure=False)
        for i, window in enumerate(windows)
    ]
    pids, sums, shapes = zip(*client.gather(futures))
    whole = recipe.dask_array(windows)
    return {
        "client": os.getpid(),
        "pids": pids,
        "sums": sums,
        "shapes": shapes,
        "shape": whole.shape,
        "sum": int(whole.sum(dtype="i8").compute()),
    }


if __name__ == "__main__":
    cluster = LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address=None,
        silence_logs=logging.CRITICAL,
    )
    with cluster, Client(cluster) as client:
        client.upload_file(str(RECIPE))
        for line in sys.stdin:
            print(json.dumps(answer(client, json.loads(line))), flush=True)
