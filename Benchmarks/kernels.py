#!/usr/bin/env python3
"""Measures the kernels on a network's shapes, beside oneDNN's int8 and OpenBLAS' sgemm, prints a table and writes
results/kernels.json. Run by bench.py; needs the built KernelBenchmark, and for oneDNN's column Debian's libdnnl-dev.

    kernels.py [--shapes FILE] [--runs N] [--bin DIR] [--json FILE]
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[1]
SHAPES = TOP / "Benchmarks" / "shapes" / "unet-sd15.txt"
RESULTS = TOP / "Benchmarks" / "results" / "kernels.json"
# By which of the processor's ceilings a kind of shape is judged.
CEILINGS = {"linear": "int8_ceiling", "conv": "int8_ceiling", "half": "f32_ceiling", "attention": "pair_ceiling"}
# Operations of a shape that is large enough to be judged by its ratio.
LARGE = 1e9


def ours(program: pathlib.Path, shapes: pathlib.Path, runs: int) -> tuple[dict, list[dict]]:
    """What the benchmark says of the machine, and its rows."""
    finished = subprocess.run([program, shapes, str(runs)], check=True, stdout=subprocess.PIPE, text=True)
    lines = [json.loads(line) for line in finished.stdout.splitlines()]
    return lines[0], lines[1:]


def onednn(shapes: pathlib.Path, runs: int, threads: int) -> list[float]:
    """Milliseconds of each linear and conv line; nothing where oneDNN is not installed."""
    if not pathlib.Path("/usr/include/dnnl.h").exists():
        print("kernels: oneDNN's column needs Debian's libdnnl-dev, ignoring", file=sys.stderr)
        return []
    with tempfile.TemporaryDirectory(prefix="inv-") as folder:
        program = pathlib.Path(folder, "onednn")
        source = TOP / "Benchmarks" / "onednn" / "onednn.c"
        subprocess.run(["cc", "-O2", source, "-ldnnl", "-lm", "-o", program], check=True)
        environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
        finished = subprocess.run(
            [program, shapes, str(runs)], check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return [float(line) for line in finished.stdout.split()]


def rate(row: dict, field: str) -> float | None:
    """Operations a second, in 10^9."""
    return row["operations"] / row[field] / 1e6 if row.get(field) else None


def describe(row: dict) -> str:
    if row["kind"] == "attention":
        batch, queries, keys, heads, width, _ = row["shape"]
        return f"{batch} x {heads} heads, {queries} x {keys} x {width}"
    m, n, k, taps, stride, _ = row["shape"]
    return f"{m} x {n} x {k}" + (f", 3x3{' stride 2' if stride == 2 else ''}" if taps == 9 else "")


def table(machine: dict, rows: list[dict]) -> str:
    """Rates in 10^9 operations a second. OpenBLAS multiplies f32, and takes a convolution as a product of patches."""
    def cell(value: float | None, digits: int = 0) -> str:
        return "-" if value is None else f"{value:.{digits}f}"

    lines = ["| kind | shape | times | ms | ceiling | G/s | of it | oneDNN int8 | OpenBLAS f32 |", "|" + "---|" * 9]
    for row in rows:
        limit = ceiling(machine, row)
        ratio = 100 * rate(row, "ms") / limit if limit else None
        lines.append(
            f"| {row['kind']} | {describe(row)} | {row['shape'][5]} | {cell(row['ms'], 2)} | {cell(limit)} | "
            f"{cell(rate(row, 'ms'))} | {cell(ratio)} % | {cell(rate(row, 'onednn_ms'))} | "
            f"{cell(rate(row, 'sgemm_ms'))} |")
    return "\n".join(lines)


def ceiling(machine: dict, row: dict) -> float | None:
    """Of a row, measured between its runs; results before 2026-11-28 have only the machine's, measured at the start."""
    return row.get("ceiling") or machine[CEILINGS[row["kind"]]]


def times(row: dict) -> int:
    """How often a step needs the shape."""
    shape = row["shape"]
    return int(shape.split()[5]) if isinstance(shape, str) else shape[5]


def sums(machine: dict, rows: list[dict]) -> dict:
    """Seconds of all int8 products and of all attention of a step, with their shares of the ceilings in per cent, and
    those of the large products."""
    found = {}
    for name, kinds, field in (
            ("int8", ("linear", "conv"), "ms"), ("onednn", ("linear", "conv"), "onednn_ms"),
            ("attention", ("attention",), "ms")):
        some = [row for row in rows if row["kind"] in kinds]
        if not all(row.get(field) for row in some):
            continue
        seconds = sum(row[field] * times(row) for row in some) / 1e3
        found[name] = seconds
        if machine[CEILINGS[kinds[0]]]:
            at_ceiling = sum(row["operations"] * times(row) / ceiling(machine, row) for row in some) / 1e9
            found[f"{name} %"] = 100 * at_ceiling / seconds
    if machine["int8_ceiling"]:
        found["large %"] = [
            100 * rate(row, "ms") / ceiling(machine, row) for row in rows
            if row["kind"] in ("linear", "conv") and row["operations"] >= LARGE]
    return found


def summary(machine: dict, rows: list[dict]) -> list[str]:
    """What a step's int8 products take in all, and where the large ones stand."""
    lines = [f"{machine['threads']} threads, {machine['isa']}; ceilings in G/s: int8 {machine['int8_ceiling']}, "
             f"16-bit pairs {machine['pair_ceiling']}, f32 {machine['f32_ceiling']}"]
    found = sums(machine, rows)
    for what, name in (
            ("int8 products of a step, these kernels", "int8"), ("int8 products of a step, oneDNN", "onednn"),
            ("attention of a step", "attention")):
        if name in found:
            share = f", {found[f'{name} %']:.0f} % of the ceiling" if f"{name} %" in found else ""
            lines.append(f"{what}: {found[name]:.2f} s{share}")
    if ratios := found.get("large %"):
        lines.append(f"large int8 products (10^9 operations and more): {min(ratios):.0f} to {max(ratios):.0f} % of the "
                     f"ceiling, {sum(ratio >= 70 for ratio in ratios)} of {len(ratios)} at 70 % or more")
    return lines


def measure(program: pathlib.Path, shapes: pathlib.Path = SHAPES, runs: int = 9) -> dict:
    load = os.getloadavg()[0]
    if load > 0.5:
        print(f"kernels: other work runs here (load {load:.1f}), so the figures are too low", file=sys.stderr)
    machine, rows = ours(program, shapes, runs)
    products = [row for row in rows if CEILINGS[row["kind"]] == "int8_ceiling"]
    for row, milliseconds in zip(products, onednn(shapes, runs, machine["threads"])):
        row["onednn_ms"] = milliseconds
    print(table(machine, rows))
    for line in summary(machine, rows):
        print(line)
    for row in rows:
        row["shape"] = " ".join(map(str, row["shape"]))  # as in the file of shapes
    return {"ceilings": machine, "rows": rows}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", type=pathlib.Path, default=SHAPES)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--bin", type=pathlib.Path, default=TOP / ".build" / "release")
    parser.add_argument("--json", type=pathlib.Path, help="where to write the figures too")
    flags = parser.parse_args()
    results = measure(flags.bin / "KernelBenchmark", flags.shapes, flags.runs)
    if flags.json:
        flags.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
