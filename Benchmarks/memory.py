#!/usr/bin/env python3
"""Runs a command inside limits of memory and tells the time that it takes and the memory that it uses.

    memory.py [--limit MB|none]... [--smallest LOW:HIGH] [--cache cold|warm] [--data PATH]... [--what TEXT] [--save]
              -- COMMAND...

The command runs once for each limit in a memory cgroup without swap; `{limit}` in it becomes the limit in MB
(10^6 bytes), or the machine's memory where there is none. `--smallest` halves its way to the smallest limit that
completes.
Pages of a file belong to whoever read them first: with `--cache cold` what `--data` names is dropped from the page
cache before, so that the command's own reading counts; with `warm` it is read before, outside the limit, as for a file
that another process keeps in use. `--save` puts the rows into results/memory.json.
"""

import argparse
import ctypes
import datetime
import json
import mmap
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import cgroups
import processor

RESULTS = pathlib.Path(__file__).resolve().parent / "results" / "memory.json"
SAMPLE_SECONDS = 0.02
# Bisection ends at this distance, in MB.
RESOLUTION = 2
CHUNK = 1 << 24
# A share of a file's pages that may stay in memory after it was dropped.
STAYING = 0.05


class Failed(Exception):
    """The measurement cannot be made; the text says why."""


def files(paths: list[pathlib.Path]) -> list[pathlib.Path]:
    found = []
    for path in paths:
        if not path.exists():
            raise Failed(f"'{path}' does not exist; --data names the files that the command reads")
        found += [each for each in path.rglob("*") if each.is_file()] if path.is_dir() else [path]
    return found


def resident_share(descriptor: int, size: int) -> float:
    """How much of a file is in the page cache."""
    with mmap.mmap(descriptor, size, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE) as view:
        pages = (size + mmap.PAGESIZE - 1) // mmap.PAGESIZE
        vector = (ctypes.c_ubyte * pages)()
        start = ctypes.byref(ctypes.c_char.from_buffer(view))
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mincore(start, ctypes.c_size_t(size), vector):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        del start
        return sum(page & 1 for page in vector) / pages


def drop(path: pathlib.Path) -> None:
    size = path.stat().st_size
    if size == 0:
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        if resident_share(descriptor, size) > STAYING:
            raise Failed(f"'{path}' stays in the page cache; end the programs that have it mapped")
    finally:
        os.close(descriptor)


def warm(path: pathlib.Path) -> None:
    with open(path, "rb", buffering=0) as file:
        while file.read(CHUNK):
            pass


def memory_mb() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 10**6


def run(command: list[str], limit_mb: int | None, cache: str, data: list[pathlib.Path]) -> dict:
    """One run inside one limit. Times are seconds, sizes MB (10^6 bytes)."""
    for path in files(data):
        (drop if cache == "cold" else warm)(path)
    words = [word.replace("{limit}", str(limit_mb or memory_mb())) for word in command]
    anonymous, file = 0, 0
    with cgroups.group(limit_mb) as group:
        started = time.perf_counter()
        with tempfile.TemporaryFile("w+") as output, subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=output, preexec_fn=group.enter
        ) as process:
            while process.poll() is None:
                now = group.statistics()
                anonymous, file = max(anonymous, now["anon"]), max(file, now["file"])
                time.sleep(SAMPLE_SECONDS)
            output.seek(0)
            said = output.read()
        seconds = time.perf_counter() - started
        kills = group.kills()
        return {
            "limit_mb": limit_mb, "cache": cache, "seconds": round(seconds, 2),
            "completed": process.returncode == 0 and kills == 0, "status": process.returncode, "oom_kills": kills,
            "peak_mb": round(group.peak() / 1e6), "anonymous_mb": round(anonymous / 1e6), "file_mb": round(file / 1e6),
            "major_faults": group.statistics()["major_faults"], "note": ""} | times(said)


def times(output: str) -> dict:
    """The times that a command tells of itself in a last line of JSON, as EngineBenchmark does."""
    try:
        told = json.loads((output.splitlines() or [""])[-1])
    except ValueError:
        return {}
    return {name: told[name] for name in ("step_s", "vae_s") if name in told} if isinstance(told, dict) else {}


def smallest(bounds: str, measure) -> dict:
    """The row of the smallest limit that completes, between one that does not and one that does."""
    low, high = map(int, bounds.split(":"))
    best = measure(high)
    if not best["completed"]:
        raise Failed(f"{high} MB are not enough; give --smallest a larger upper bound")
    while high - low > RESOLUTION:
        middle = (low + high) // 2
        row = measure(middle)
        if row["completed"]:
            high, best = middle, row
        else:
            low = middle
    return best | {"note": "smallest"}


def save(rows: list[dict], what: str) -> None:
    """Replaces the rows of the same name, processor and page cache."""
    common = {"what": what, "cpu": processor.cores(), "date": datetime.date.today().isoformat()}
    kept = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else []
    caches = {row["cache"] for row in rows}
    kept = [
        row for row in kept if (row["what"], row["cpu"]) != (what, common["cpu"]) or row["cache"] not in caches]
    beside = RESULTS.with_suffix(".new")
    beside.write_text(json.dumps(kept + [common | row for row in rows], indent=2) + "\n", encoding="utf-8")
    os.replace(beside, RESULTS)


def limit(text: str) -> int | None:
    return None if text == "none" else int(text)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=limit, action="append", default=[], metavar="MB|none")
    parser.add_argument("--smallest", metavar="LOW:HIGH")
    parser.add_argument("--cache", choices=["cold", "warm"], default="cold")
    parser.add_argument("--data", type=pathlib.Path, action="append", default=[])
    parser.add_argument("--what", help="the name of the rows (default: the command)")
    parser.add_argument("--save", action="store_true")
    parser.add_argument("command", nargs="+")
    return parser.parse_args()


def main() -> int:
    flags = parsed()
    rows = []

    def measure(limit_mb: int | None) -> dict:
        row = run(flags.command, limit_mb, flags.cache, flags.data)
        print(json.dumps(row), flush=True)
        return row

    for limit_mb in flags.limit:
        rows.append(measure(limit_mb))
    if flags.smallest:
        rows.append(smallest(flags.smallest, measure))
    if flags.save:
        save(rows, flags.what or " ".join(flags.command))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Failed, cgroups.NoRights) as failure:
        print(f"memory: {failure}", file=sys.stderr)
        sys.exit(70)
