#!/usr/bin/env python3
"""Gathers what trainings.sh measured: trainings.py WORK RESULT."""

import csv
import datetime
import json
import pathlib
import sys

# Folders of WORK, and the flags of 'inversion train' that they stand for.
WAYS = {
    "dti": "--method dti",
    "dti-f32": "--method dti --precision f32",
    "dti-2": "--method dti --vectors 2",
    "dti-4": "--method dti --vectors 4",
    "dti-8": "--method dti --vectors 8",
    "dti-context": "--method dti --context 0.1",
    "ti": "--method ti",
    "ti-encoder": "--method ti --init encoder",
}


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def share(answers: list[dict]) -> float:
    return mean([answer["is_obeyed"] for answer in answers])


def edits(words: list[dict], name: str) -> dict[str, float]:
    return {
        "colours": mean([share(word[name]["colours"]) for word in words]),
        "styles": mean([share(word[name]["styles"]) for word in words]),
        "diversity": mean([word[name]["diversity"] for word in words])}


def steps(folder: pathlib.Path) -> int:
    with (folder / "metrics.csv").open(encoding="utf-8") as file:
        return int(list(csv.DictReader(file))[-1]["step"])


def row(words: list[dict], folder: pathlib.Path) -> dict[str, float]:
    health = [word["health"] for word in words]
    return {
        "words": len(words),
        "steps": mean([steps(path) for path in sorted(folder.glob("*.training"))]),
        "loss": mean([word["fidelity"]["loss"] for word in words]),
        "gain": mean([1 - word["fidelity"]["loss"] / word["fidelity"]["initializer_loss"] for word in words]),
        "retrieved": sum(word["retrieval"]["rank"] == 1 for word in words),
        **edits(words, "editability"),
        # In the vocabulary's mean.
        "norm": mean([vector["norm"] / word["vocabulary_norm"] for word in health for vector in word["vectors"]]),
        "context_drift": mean([word["context_drift"] for word in health]),
        "prior": mean([word["prior"] for word in health])}


def main() -> None:
    work, result = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    words = json.loads((work / "words.json").read_text(encoding="utf-8"))
    rows = {}
    for way, flags in WAYS.items():
        own = [word for word in words if pathlib.Path(word["file"]).parent.name == way]
        if own:
            rows[flags], judged = row(own, work / way), own
    loss = mean([word["fidelity"]["initializer_loss"] for word in judged])
    initializer = {"loss": loss, **edits(judged, "initializer_editability")}
    result.write_text(
        json.dumps({"date": str(datetime.date.today()), "initializer": initializer, "rows": rows}, indent=2) + "\n",
        encoding="utf-8")
    for flags, figures in rows.items():
        print(f"{flags:32} " + "  ".join(f"{name} {value:.3g}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
