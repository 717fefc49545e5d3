#!/usr/bin/env python3
"""How much time T-GATE and DeepCache save, and what they do to the pictures: `reuse.py [--model FOLDER]`.

Writes results/reuse-NAME.json, for the tables of docs/sampling.md. Random weights tell of the time alone."""

import argparse
import datetime
import json
import os
import pathlib
import subprocess
import tempfile

import processor

TOP = pathlib.Path(__file__).resolve().parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--model", type=pathlib.Path, default=TOP / "models" / "emoji-64")
    parser.add_argument("--prompts", type=int, default=32)
    parser.add_argument("--steps", type=int, default=25, help="as the papers have it")
    flags = parser.parse_args()
    program = pathlib.Path(os.environ.get("INVERSION_BIN", TOP / ".build" / "release")) / "FaithfulBenchmark"
    prompts = (TOP / "Benchmarks" / "faithful" / "prompts.txt").read_text(encoding="utf-8").splitlines()
    load = os.getloadavg()[0]
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        file.write("\n".join([line for line in prompts if not line.startswith("#")][:flags.prompts]))
        file.flush()
        command = [str(program), "--reuse", str(flags.model), file.name, str(flags.steps)]
        found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    found |= {
        "cpu": processor.name(), "threads": os.cpu_count(), "date": f"{datetime.date.today()}", "load": round(load, 2)}
    path = TOP / "Benchmarks" / "results" / f"reuse-{flags.model.resolve().name}.json"
    path.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(f"{path.relative_to(TOP)}: {len(found['rows'])} settings, {found['prompts']} prompts")


if __name__ == "__main__":
    main()
