#!/usr/bin/env python3
"""Measures the README's rows on the built release programs and writes results/emoji-64.json.

    bench.py [--only ROW]... [--model DIR] [--bin DIR] [--concept DIR]

ROW is one of training, picture, memory, start; with it the figures are only printed, because the results are those of
one run; or kernels, which writes results/kernels.json. Every figure is the median of several runs unless it is a peak.
"""

import argparse
import datetime
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import kernels
import processor
import programs

TOP = pathlib.Path(__file__).resolve().parents[1]
RESULTS = TOP / "Benchmarks" / "results" / "emoji-64.json"
# A training's set-up (loading, encoding the pictures) falls out of the difference between a short and a long run.
SHORT_STEPS, LONG_STEPS = 10, 60
PICTURES = 7
STARTS = 11
PROMPT = "a photo of a fox on a blue background"


def megabytes(kibibytes: float) -> int:
    return round(kibibytes * 1024 / 1e6)


def training(setup: programs.Setup) -> list[dict]:
    def run(steps: int) -> programs.Finished:
        return programs.train(setup, steps, pathlib.Path(setup.folder, f"trained-{steps}.safetensors"))

    short, long = run(SHORT_STEPS), run(LONG_STEPS)
    rate = (LONG_STEPS - SHORT_STEPS) / (long.seconds - short.seconds)
    return [
        row("training-rate", "training, four pictures a step", f"{rate:.2f}", "steps/s", "training"),
        row("training-memory", "training, peak memory", megabytes(long.peak_kib), "MB", "training"),
    ]


def picture(setup: programs.Setup) -> list[dict]:
    with programs.daemon(setup) as served:
        times = []
        for seed in range(PICTURES + 1):  # the first one warms caches and is left out
            started = time.perf_counter()
            programs.generate(setup, served, PROMPT, seed)
            times.append(time.perf_counter() - started)
    seconds = statistics.median(times[1:])
    return [row("picture", "a picture, client to file (default steps and guidance)", f"{seconds:.2f}", "s", "picture")]


def memory(setup: programs.Setup) -> list[dict]:
    with programs.daemon(setup) as served:
        idle = served.status_kib("VmHWM")
        programs.generate(setup, served, PROMPT, seed=1)
        peak = served.status_kib("VmHWM")
    return [
        row("daemon-idle", "daemon, memory when ready", megabytes(idle), "MB", "memory"),
        row("daemon-peak", "daemon, peak memory after a picture", megabytes(peak), "MB", "memory"),
    ]


def start(setup: programs.Setup) -> list[dict]:
    times = []
    for _ in range(STARTS):
        with programs.daemon(setup) as served:
            times.append(served.seconds_to_ready)
    milliseconds = statistics.median(times) * 1e3
    return [row("daemon-start", "daemon, start to READY=1", f"{milliseconds:.0f}", "ms", "start")]


MEASURES = {"training": training, "picture": picture, "memory": memory, "start": start}


def row(name: str, what: str, value, unit: str, only: str) -> dict:
    return {"name": name, "what": what, "value": value, "unit": unit, "command": f"make bench ONLY={only}"}


def commit() -> str:
    git = ["git", "-C", str(TOP), "describe", "--always", "--dirty", "--exclude=*"]
    return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()


def circumstances(load: float) -> dict:
    return {
        "machine": processor.cores(), "date": datetime.date.today().isoformat(), "commit": commit(),
        "load": round(load, 1)}


def save_kernels(found: dict) -> None:
    """In place of what was measured on a machine like this one."""
    kept = json.loads(kernels.RESULTS.read_text(encoding="utf-8")) if kernels.RESULTS.exists() else []
    save(kernels.RESULTS, [*(row for row in kept if row["machine"] != found["machine"]), found])


def save(path: pathlib.Path, results: dict | list) -> None:
    path.parent.mkdir(exist_ok=True)
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(beside, path)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=[*MEASURES, "kernels"])
    parser.add_argument("--model", type=pathlib.Path, default=TOP / "models" / "emoji-64")
    parser.add_argument("--bin", type=pathlib.Path, default=TOP / ".build" / "release")
    parser.add_argument("--concept", type=pathlib.Path, help="a folder of pictures (default: the demo's)")
    flags = parser.parse_args()
    measured, load = [], os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="inv-") as folder:
        concept, word = programs.demo_concept(TOP)
        concept = (flags.concept or concept).resolve()
        setup = programs.Setup(flags.bin.resolve(), flags.model.resolve(), concept, word, folder)
        for name in [name for name in flags.only or MEASURES if name in MEASURES]:
            for result in MEASURES[name](setup):
                print(f"{result['what']}: {result['value']} {result['unit']}", flush=True)
                measured.append(result)
    if not flags.only:
        save(RESULTS, circumstances(load) | {"rows": measured})
        print(f"written to {RESULTS.relative_to(TOP)}; 'make docs' puts it into the README")
    if not flags.only or "kernels" in flags.only:
        save_kernels(circumstances(load) | kernels.measure(flags.bin.resolve() / "KernelBenchmark"))
        print(f"written to {kernels.RESULTS.relative_to(TOP)}; 'make docs' puts their sum into docs/performance.md")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except programs.Failed as failure:
        print(f"bench: {failure}", file=sys.stderr)
        sys.exit(70)
