#!/usr/bin/env python3
"""Gathers what precisions.sh measured: precisions.py WORK RESULT."""

import datetime
import json
import pathlib
import sys

PRECISIONS = ["f32", "f16", "bf16", "int8"]


def main() -> None:
    work, result = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    losses: dict[str, dict[str, float]] = {}
    for precision in PRECISIONS:
        report = json.loads((work / f"{precision}.json").read_text(encoding="utf-8"))
        for row in report["concepts"]["rows"]:
            losses.setdefault(row["concept"], {})[precision] = row["learned_loss"]
            losses[row["concept"]]["initializer"] = row["initializer_loss"]
    seconds = {name: float((work / f"{name}.seconds").read_text(encoding="utf-8")) for name in PRECISIONS}
    result.write_text(
        json.dumps({"date": str(datetime.date.today()), "seconds": seconds, "losses": losses}, indent=2) + "\n",
        encoding="utf-8")
    for concept, row in sorted(losses.items()):
        others = "  ".join(f"{name} {100 * (row[name] / row['f32'] - 1):+.2f} %" for name in PRECISIONS[1:])
        print(f"{concept:20} f32 {row['f32']:.5f}  {others}")
    print("seconds for all: " + ", ".join(f"{name} {seconds[name]:.0f}" for name in PRECISIONS))


if __name__ == "__main__":
    main()
