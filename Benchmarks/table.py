#!/usr/bin/env python3
"""The README's measured table, made from the results that `make bench` wrote.

    table.py --write README.md    puts the table between the two markers
    table.py --check README.md    ends with 1 if it is not what stands there
"""

import json
import pathlib
import sys

RESULTS = pathlib.Path(__file__).resolve().parent / "results" / "emoji-64.json"
# Processes that ran or waited to before the measurement began; more than this slows it down.
QUIET = 0.5
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def table(results: dict) -> str:
    lines = ["| what | measured | command |", "|---|---|---|"]
    lines += [f"| {row['what']} | {row['value']} {row['unit']} | `{row['command']}` |" for row in results["rows"]]
    load = f", beside other work (load {results['load']})" if results["load"] > QUIET else ""
    measured = f"Measured on {results['machine']}{load}, {results['date']}, commit {results['commit']}."
    return "\n".join(lines + ["", measured])


def with_table(document: str) -> str:
    """The document with the table of the results between its markers, or with the word that there are none yet."""
    before, rest = document.split(BEGIN)
    _, after = rest.split(END)
    if RESULTS.exists():
        body = table(json.loads(RESULTS.read_text(encoding="utf-8")))
    else:
        body = "Not measured yet: `make bench` fills this table."
    return f"{before}{BEGIN}\n{body}\n{END}{after}"


def main() -> int:
    mode, path = sys.argv[1], pathlib.Path(sys.argv[2])
    document = path.read_text(encoding="utf-8")
    renewed = with_table(document)
    if mode == "--write":
        path.write_text(renewed, encoding="utf-8")
    elif document != renewed:
        print(f"table: {path.name} does not show the results of {RESULTS.parent.name}/{RESULTS.name}; run 'make docs'")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
