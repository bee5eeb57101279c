"""NumPy's side of tests/faults/rows: `numpy_faults.py NAME FOLDER` does one thing.

What comes of it is the last line of stdout, or the signal that kills the process.
"""

import ctypes
import errno
import mmap
import os
import resource
import signal
import subprocess
import sys
import threading
import time

import numpy as np

LEN = 1_000_000
MIB = 1 << 20


def numbers(path, count=LEN):
    """A file of ones."""
    with open(path, "wb") as file:
        file.write(b"\1" * count)
        os.fsync(file.fileno())


def verdict(array, expected=LEN):
    found = int(array.sum(dtype=np.int64))
    return "correct values" if found == expected else "wrong values, no error"


def truncated(path):
    numbers(path)
    array = np.memmap(path, mode="r")
    os.truncate(path, 10)
    return verdict(array)


def truncated_and_regrown(path):
    numbers(path)
    array = np.memmap(path, mode="r")
    os.truncate(path, 10)
    os.truncate(path, LEN)
    return verdict(array)


def holed(path):
    numbers(path)
    array = np.memmap(path, mode="r")
    subprocess.run(["fallocate", "--punch-hole", "-o", "8192", "-l", "65536", path], check=True)
    return verdict(array)


def removed(path):
    numbers(path)
    array = np.memmap(path, mode="r+")
    os.remove(path)
    array.flush()
    return f"{verdict(array)}, no warning"


def replaced(path):
    numbers(path)
    array = np.memmap(path, mode="r+")
    numbers(path + ".new", 10)
    os.replace(path + ".new", path)
    array.flush()
    return f"{verdict(array)}, no warning"


def no_permission(path):
    numbers(path)
    os.chmod(path, 0)
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    return verdict(np.memmap(path, mode="r+"))


def read_only_disk(path):
    old = os.path.join(os.path.dirname(path), "old")
    return verdict(np.memmap(old, mode="r+"), 5000)


def fifo(path):
    os.mkfifo(path)
    return verdict(np.memmap(path, mode="r"))


def directory(path):
    return verdict(np.memmap(os.path.dirname(path), mode="r"))


def null(path):
    return verdict(np.memmap("/dev/null", mode="r", shape=10), 0)


def zero(path):
    found = verdict(np.memmap("/dev/zero", mode="r", shape=10), 0)
    return "an array of zeros" if found == "correct values" else found


def procfs(path):
    return verdict(np.memmap("/proc/self/mounts", mode="r"))


def sysfs(path):
    return verdict(np.memmap("/sys/kernel/mm/transparent_hugepage/enabled", mode="r"))


def space(folder):
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


def fill(folder):
    with open(os.path.join(folder, "filling"), "wb", buffering=0) as file:
        for size in (MIB, 65536, 4096, 512):
            try:
                while True:
                    file.write(b"\1" * size)
            except OSError:
                pass
            os.sync()


def larger_than_its_disk(path):
    count = space(os.path.dirname(path)) * 2
    array = np.memmap(path, mode="w+", shape=count)
    array[:] = 1
    return verdict(array, count)


def hole_of_a_full_disk(path):
    array = np.memmap(path, mode="w+", shape=4 * MIB)
    fill(os.path.dirname(path))
    array[:] = 1
    return verdict(array, 4 * MIB)


def less_space_than_it_reports(path):
    array = np.memmap(path, mode="w+", shape=8 * MIB)
    array.flush()
    fill(os.environ["FAULTS_BELOW"])
    array[:] = 1
    ends = []
    for _ in range(3):
        try:
            array.flush()
            ends.append("success")
        except OSError as error:
            ends.append(name_of(error))
    return f"`flush`: {', then '.join(ends)}"


def cold(path, count=LEN):
    numbers(path, count)
    with open(path, "rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def unreadable_page(path):
    cold(path)
    array = np.memmap(path, mode="r")
    subprocess.run(["xfs_io", "-x", "-c", "shutdown", os.path.dirname(path)], check=True)
    return verdict(array)


def limit_of_file_sizes(path):
    numbers(path, 10)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65536, resource.RLIM_INFINITY))
    try:
        return verdict(np.memmap(path, mode="w+", shape=LEN), 0)
    except OSError as error:
        lost = os.path.getsize(path) != 10
        return name_of(error) + (", the file is emptied" if lost else "")


def limit_of_address_space(path):
    numbers(path, 10)
    with open("/proc/self/statm") as statm:
        size = int(statm.read().split()[0]) * mmap.PAGESIZE
    resource.setrlimit(resource.RLIMIT_AS, (size + 48 * MIB, resource.RLIM_INFINITY))
    try:
        return verdict(np.memmap(path, mode="w+", shape=1 << 30), 0)
    except OSError as error:
        lost = os.path.getsize(path) != 10
        return name_of(error) + (", the file is emptied" if lost else "")


def descriptors(path):
    numbers(path)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    arrays = []
    try:
        for _ in range(10_000):
            arrays.append(np.memmap(path, mode="r"))
    except OSError as error:
        return f"{name_of(error)} after {len(arrays)}"
    return f"{len(arrays)} are open"


def mappings(path):
    numbers(path)
    with open("/proc/sys/vm/max_map_count") as count:
        most = int(count.read())
    # Descriptors would run out first; these mappings need none, and do not become one.
    libc = ctypes.CDLL(None)
    none = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    for number in range(most - 700):
        libc.mmap(None, mmap.PAGESIZE, number % 2, none, -1, 0)
    arrays = []
    try:
        for _ in range(900):
            arrays.append(np.memmap(path, mode="r"))
    except OSError as error:
        return name_of(error)
    return f"{len(arrays)} are open"


def interrupted(path):
    signals = 0

    def count(*_):
        nonlocal signals
        signals += 1

    signal.signal(signal.SIGALRM, count)
    signal.siginterrupt(signal.SIGALRM, True)
    signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
    while signals < 1000:
        array = np.memmap(path, mode="w+", shape=LEN)
        array[:] = 1
        array.flush()
        if verdict(np.memmap(path, mode="r")) != verdict(np.fromfile(path, "u1")):
            break
        os.remove(path)
    signal.setitimer(signal.ITIMER_REAL, 0)
    return f"all calls succeed, {verdict(array)}"


def forked(path):
    numbers(path)
    array = np.memmap(path, mode="r+")
    child = os.fork()
    if child == 0:
        right = verdict(array) == "correct values"
        del array
        os._exit(0 if right else 1)
    _, status = os.waitpid(child, 0)
    array[:] = 2
    array.flush()
    right = status == 0 and verdict(array, 2 * LEN) == "correct values"
    return "the parent goes on" if right else "wrong values, no error"


def in_child(work):
    """Forks a child that is killed once it has said that its work is done."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        kept = work()
        os.write(write, b"done")
        while kept is not None:
            time.sleep(1)
    os.read(read, 4)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def killed(path):
    def work():
        array = np.memmap(path, mode="w+", shape=LEN)
        array[:] = 1
        return array

    in_child(work)
    right = verdict(np.fromfile(path, "u1")) == "correct values"
    return "all that was stored is in the file" if right else "wrong values, no error"


def killed_half_way(path):
    numbers(path)

    def work():
        array = np.memmap(path, mode="w+", shape=LEN)
        array[: LEN // 2] = 1
        return array

    in_child(work)
    left = verdict(np.memmap(path, mode="r"))
    if left == "correct values":
        return "the old file as before"
    return "the old file is gone, half a new one opens"


def halves(path):
    numbers(path)
    children = []
    for half in range(2):
        child = os.fork()
        if child == 0:
            start = half * (LEN // 2)
            array = np.memmap(path, mode="r+", offset=start, shape=LEN // 2)
            for _ in range(100):
                array += 1
            array.flush()
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)
    return verdict(np.memmap(path, mode="r"), 101 * LEN)


def created_over(path):
    numbers(path)
    array = np.memmap(path, mode="r")
    np.memmap(path, mode="w+", shape=LEN)
    return verdict(array)


def others_truncate(path, work):
    """Has another process truncate a file while eight threads work on an array of it."""
    numbers(path, 8 * MIB)
    array = np.memmap(path, mode="r+")

    def thread():
        end = time.monotonic() + 10
        while time.monotonic() < end and work(array):
            pass

    threads = [threading.Thread(target=thread) for _ in range(8)]
    for one in threads:
        one.start()
    subprocess.run(["truncate", "-s", "1M", path], check=True)
    for one in threads:
        one.join()
    return verdict(array, 8 * MIB)


def truncated_under_readers(path):
    return others_truncate(path, lambda array: verdict(array, 8 * MIB) == "correct values")


def truncated_under_writers(path):
    def work(array):
        array[:] = 1
        return True

    return others_truncate(path, work)


def name_of(error):
    """As in `OSError (ENOMEM)`."""
    number = getattr(error, "errno", None)
    name = type(error).__name__
    return f"{name} ({errno.errorcode[number]})" if number in errno.errorcode else name


def main():
    _, name, folder = sys.argv
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.RLIM_INFINITY))
    try:
        end = globals()[name](os.path.join(folder, "array"))
    except Exception as error:
        end = name_of(error)
    print(end, flush=True)


main()
