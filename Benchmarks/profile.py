#!/usr/bin/env python3
"""Where a guided step goes, by kind of part: profile.py MODEL [--size PIXELS] writes results/profile.json.

EngineBenchmark tells the time of each named part of the U-Net; here they are added up. A part's rows are made where it
ends, so the parts add up to a little more than a step that runs through.
"""

import argparse
import datetime
import json
import pathlib
import re
import subprocess

TOP = pathlib.Path(__file__).resolve().parents[1]
RESULT = TOP / "Benchmarks" / "results" / "profile.json"

# The first that matches names a part's kind.
KINDS = [
    ("self-attention (attn1) with its projections", r"\.attn1$"),
    ("cross-attention (attn2) with its projections", r"\.attn2$"),
    ("GEGLU feed-forward", r"\.ff$"),
    ("resnets", r"resnets\.\d+$"),
    ("down- and upsamplers", r"samplers\.0$"),
    ("rest: norms and projections around the transformers, first and last convolution, time", r""),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--size", type=int, default=512)
    flags = parser.parse_args()
    command = [TOP / ".build/release/EngineBenchmark", flags.model, "--size", str(flags.size), "--json", "--profile"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    row = json.loads(output[0])
    kinds = dict.fromkeys((name for name, _ in KINDS), 0.0)
    for line in output[1:]:
        part, milliseconds, _ = line.split()
        kind = next(name for name, pattern in KINDS if re.search(pattern, part))
        kinds[kind] += float(milliseconds) / 1000
    result = row | {"date": str(datetime.date.today()), "kinds_s": kinds}
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    for name, seconds in kinds.items():
        print(f"{seconds:7.3f} s  {name}")


if __name__ == "__main__":
    main()
