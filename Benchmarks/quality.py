"""Sums up what `quality.sh` has evaluated: quality.py FOLDER RESULT. FOLDER holds f32.json and int8.json."""

import datetime
import json
import pathlib
import sys


def summary(evaluation: dict) -> dict:
    rows, known = evaluation["concepts"]["rows"], evaluation["known_words"]
    return {
        "concepts": len(rows), "known": len(known["rows"]),
        "loss": sum(row["learned_loss"] for row in rows) / len(rows),
        "initializer_loss": sum(row["initializer_loss"] for row in rows) / len(rows),
        "gain": sum(row["gain"] for row in rows) / len(rows), "retrieval": evaluation["retrieval"],
        "gap_to_neighbour": known["gap_to_neighbour"], "gap_to_others": known["gap_to_others"]}


def main() -> None:
    folder, result = map(pathlib.Path, sys.argv[1:])
    found: dict = {"date": f"{datetime.date.today()}"}
    for name in ("f32", "int8"):
        found[name] = summary(json.loads((folder / f"{name}.json").read_text(encoding="utf-8")))
    result.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(f"gain {found['f32']['gain']:.3f} in f32, {found['int8']['gain']:.3f} in int8")


if __name__ == "__main__":
    main()
