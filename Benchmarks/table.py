#!/usr/bin/env python3
"""The measured tables of the documents, made from the results that the benchmarks wrote.

    table.py --write DOCUMENT...    puts each table between its two markers
    table.py --check DOCUMENT...    ends with 1 if one is not what stands there

A table NAME stands between `<!-- measured NAME: begin -->` and `<!-- measured NAME: end -->`.
"""

import json
import pathlib
import re
import sys

import tables

RESULTS = pathlib.Path(__file__).resolve().parent / "results"
MARKED = re.compile(r"<!-- measured (?P<name>[\w-]+): begin -->\n.*?<!-- measured (?P=name): end -->", re.DOTALL)


def body(name: str) -> str:
    """The table of that name, or the word that its results are not there yet."""
    if name not in tables.TABLES:
        raise SystemExit(f"table: no table '{name}'; there are: {', '.join(tables.TABLES)}")
    file, command, render = tables.TABLES[name]
    path = RESULTS / file
    lines = render(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else []
    return "\n".join(lines or [f"Not measured yet: `{command}` fills this table."])


def renewed(document: str) -> str:
    def replacement(match: re.Match) -> str:
        name = match["name"]
        return f"<!-- measured {name}: begin -->\n{body(name)}\n<!-- measured {name}: end -->"

    return MARKED.sub(replacement, document)


def main() -> int:
    mode, stale = sys.argv[1], False
    for path in map(pathlib.Path, sys.argv[2:]):
        document = path.read_text(encoding="utf-8")
        if mode == "--write":
            path.write_text(renewed(document), encoding="utf-8")
        elif document != renewed(document):
            print(f"table: {path} does not show the results of {RESULTS.name}; run 'make docs'")
            stale = True
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
