#!/usr/bin/env python3
"""Times the engines on the same random weights and writes results/peers.json: see README.md.

    bench.py [--task picture|training] [--only ENGINE]... [--rounds N] [--runs N] [--size PIXELS] [--threads N]
             [--model FOLDER] [--dry-run]

Each engine runs in a process of its own. The engines take turns, round after round, so that what disturbs the machine
disturbs all of them; a figure is the median over all rounds. Rows of one call have the same `run`, and only they may be
compared. An engine that is not set up is left out with a message.
"""

import argparse
import concurrent.futures
import datetime
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

import engines
import measure

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(TOP / "Benchmarks"))
import processor
RESULTS = TOP / "Benchmarks" / "results" / "peers.json"
TIMES = ("text_s", "step_s", "vae_s", "step_with_vae_s")
PEAKS = ("peak_mb", "anonymous_mb")


def measured(command: list[str], environment: dict[str, str]) -> dict:
    """The row that a runner printed as its last line of output; anonymous memory is watched from here where the runner
    does not tell it."""
    with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, env=environment, cwd=TOP) as process:
        with concurrent.futures.ThreadPoolExecutor() as pool:
            output = pool.submit(process.stdout.read)
            anonymous = 0
            while process.poll() is None:
                anonymous = max(anonymous, measure.status_mb("RssAnon", process.pid, missing=0))
                time.sleep(measure.SAMPLE_SECONDS)
            lines = [line for line in output.result().splitlines() if line.startswith("{")]
    if process.returncode or not lines:
        raise engines.Missing(f"'{' '.join(command)}' ended with {process.returncode} and without a row")
    return {"anonymous_mb": anonymous} | json.loads(lines[-1])


def merged(rows: list[dict]) -> dict:
    """One row of several rounds': the median of all times, the largest of all peaks."""
    row = {}
    for name in TIMES:
        times = [time for each in rows if name in each for time in as_list(each[name])]
        if times:
            row[name] = round(statistics.median(times), 3)
    for name in PEAKS:
        peaks = [each[name] for each in rows if name in each]
        if peaks:
            row[name] = max(peaks)
    return row | {"version": rows[-1].get("version") or commit()}


def commit() -> str:
    git = ["git", "-C", str(TOP), "describe", "--always", "--dirty", "--exclude=*"]
    return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()


def as_list(value) -> list:
    return value if isinstance(value, list) else [value]


def environment(threads: int) -> dict[str, str]:
    """This process's variables without those that were meant for another BLAS."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS_")}
    return kept | {"OMP_NUM_THREADS": str(threads)}


def measure_all(commands: dict[str, list[str]], flags: argparse.Namespace) -> dict[str, list[dict]]:
    """The rows of each engine, taken in turns."""
    rows = {name: [] for name in commands}
    for turn in range(flags.rounds):
        for name, command in commands.items():
            try:
                rows[name].append(measured(command, environment(flags.threads)))
                print(f"round {turn + 1}, {name}: {rows[name][-1]}", flush=True)
            except engines.Missing as missing:
                print(f"peers: {name} left out: {missing}", file=sys.stderr)
    return {name: found for name, found in rows.items() if found}


def save(rows: list[dict]) -> None:
    """Replaces the rows of the same task, engine, size, processor and number of threads."""
    def key(row: dict) -> tuple:
        return row["task"], row["engine"], row["size"], row["cpu"], row["threads"]

    kept = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else []
    renewed = {key(row) for row in rows}
    kept = [row for row in kept if key(row) not in renewed] + rows
    beside = RESULTS.with_suffix(".new")
    beside.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
    os.replace(beside, RESULTS)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", choices=["picture", "training"], default="picture")
    parser.add_argument("--only", action="append", metavar="ENGINE")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--runs", type=int, default=3, help="timed calls in a round")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--model", type=pathlib.Path, help="a diffusers folder (default: what setup.sh made)")
    parser.add_argument("--dry-run", action="store_true", help="only print what would be run")
    return parser.parse_args()


def main() -> int:
    flags = parsed()
    started = datetime.datetime.now().isoformat(timespec="seconds")
    load = round(os.getloadavg()[0], 1)
    commands = {}
    for engine in engines.of_task(flags.task, flags.only):
        try:
            commands[engine.name] = engine.command(flags)
        except engines.Missing as missing:
            print(f"peers: {engine.name} left out: {missing}", file=sys.stderr)
    if flags.dry_run:
        for name, command in commands.items():
            print(f"{name}: {' '.join(command)}")
        return 0
    common = {
        "size": flags.size, "threads": flags.threads, "cpu": processor.name(), "date": started[:10], "run": started,
        "load": load}
    rows = [
        {"task": flags.task, "engine": name} | merged(found) | common
        for name, found in measure_all(commands, flags).items()]
    if not rows:
        print("peers: no engine could be measured; run Benchmarks/peers/setup.sh", file=sys.stderr)
        return 70
    save(rows)
    print(f"written to {RESULTS.relative_to(TOP)}; 'make docs' puts it into docs/performance.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
