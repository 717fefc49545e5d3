#!/usr/bin/env python3
"""Gathers what stopping.sh measured: stopping.py WORK RESULT [FLAGS OF inversion train]."""

import csv
import datetime
import json
import pathlib
import sys

WAYS = ["fixed", "automatic"]


def course(folder: pathlib.Path) -> tuple[int, float]:
    """Steps that were taken, and the lowest validation loss on the way, the initial vectors' left out."""
    with (folder / "metrics.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return int(rows[-1]["step"]), min(float(row["validation_loss"]) for row in rows if row["validation_loss"])


def main() -> None:
    work, result = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    concepts: dict[str, dict[str, dict[str, float]]] = {}
    for way in WAYS:
        report = json.loads((work / f"{way}.json").read_text(encoding="utf-8"))
        for row in report["concepts"]["rows"]:
            steps, validation = course(work / way / f"{row['concept']}.training")
            concepts.setdefault(row["concept"], {})[way] = {
                "steps": steps, "validation": validation, "held_out": row["learned_loss"]}

    def total(way: str, figure: str) -> float:
        return sum(row[way][figure] for row in concepts.values())

    def more(figure: str) -> float:
        return total("automatic", figure) / total("fixed", figure) - 1

    summary = {
        "fewer_steps": total("fixed", "steps") / total("automatic", "steps"),
        "more_validation_loss": more("validation"), "more_held_out_loss": more("held_out")}
    report = {"date": str(datetime.date.today()), "flags": sys.argv[3:], **summary, "concepts": concepts}
    result.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(f"{summary['fewer_steps']:.2f} times fewer steps, validation loss {summary['more_validation_loss']:+.2%}, "
          f"held-out loss {summary['more_held_out_loss']:+.2%}")


if __name__ == "__main__":
    main()
