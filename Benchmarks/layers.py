#!/usr/bin/env python3
"""What int8 costs each layer of the tests' tiny models of Stable Diffusion's shape: `layers.py`.

Runs `inversion models analyze --whole` and writes results/layers.json, for the table of docs/models.md: every layer with
the signal-to-noise ratio of its own output and of its network's."""

import datetime
import json
import os
import pathlib
import subprocess

TOP = pathlib.Path(__file__).resolve().parents[1]
GOLDEN = TOP / "Tests" / "ModelsTests" / "Golden"
MODELS = ["sd1-tiny", "sd2-tiny"]


def analyze(program: pathlib.Path, model: str) -> list[dict]:
    command = [str(program), "models", "analyze", str(GOLDEN / model), "--whole", "--format", "json"]
    found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return [
        {"network": row["network"], "layer": row["layer"], "own": round(row["own"], 1), "whole": round(row["whole"], 1)}
        for row in found["layers"]]


def main() -> None:
    program = pathlib.Path(os.environ.get("INVERSION_BIN", TOP / ".build" / "release")) / "inversion"
    found: dict = {"date": f"{datetime.date.today()}", "models": {model: analyze(program, model) for model in MODELS}}
    path = TOP / "Benchmarks" / "results" / "layers.json"
    path.write_text(json.dumps(found) + "\n", encoding="utf-8")
    print(f"{path.relative_to(TOP)}: " + ", ".join(f"{len(rows)} layers of {m}" for m, rows in found["models"].items()))


if __name__ == "__main__":
    main()
