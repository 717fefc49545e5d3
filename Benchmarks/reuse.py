#!/usr/bin/env python3
"""How much time T-GATE and DeepCache save on the embedded model, and what they do to the pictures: `reuse.py`.

Writes results/reuse-emoji-64.json, for the table of docs/sampling.md."""

import datetime
import json
import os
import pathlib
import subprocess

TOP = pathlib.Path(__file__).resolve().parents[1]
RESULTS = TOP / "Benchmarks" / "results" / "reuse-emoji-64.json"
STEPS = 25  # as the papers


def main() -> None:
    program = pathlib.Path(os.environ.get("INVERSION_BIN", TOP / ".build" / "release")) / "FaithfulBenchmark"
    load = os.getloadavg()[0]
    command = [str(program), "--reuse", str(TOP / "models" / "emoji-64")]
    command += [str(TOP / "Benchmarks" / "faithful" / "prompts.txt"), str(STEPS)]
    found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    cpu = next(
        line.split(":")[1].strip() for line in open("/proc/cpuinfo", encoding="utf-8") if line.startswith("model name"))
    found |= {"cpu": cpu, "threads": os.cpu_count(), "date": f"{datetime.date.today()}", "load": round(load, 2)}
    RESULTS.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(f"{RESULTS.relative_to(TOP)}: {len(found['rows'])} settings, {found['prompts']} prompts")


if __name__ == "__main__":
    main()
