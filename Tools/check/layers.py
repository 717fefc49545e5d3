#!/usr/bin/env python3
"""Imports point downward only. The table of layers in docs/architecture.md, Package.swift and the sources' imports have
to say the same; a target imports lower layers or, without circles, its own; the product targets and both socket ends
keep apart."""

import json
import pathlib
import re
import subprocess
import tempfile

import common

TABLE = "docs/architecture.md"
ROW = re.compile(r"^\| *`(?P<target>\w+)` *\|(?P<imports>[^|]*)\|(?P<outside>[^|]*)\|", re.MULTILINE)
IMPORT = re.compile(
    r"^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:(?:public|package|internal|private|fileprivate)\s+)?"
    r"import\s+(?:(?:struct|class|enum|protocol|func|var|let|typealias)\s+)?(\w+)", re.MULTILINE)
# Modules of the toolchain and the system, free to import anywhere.
SYSTEM = {"Swift", "Foundation", "FoundationEssentials", "Glibc", "Musl", "Dispatch", "Synchronization", "Testing"}
# (user, what it must not reach even through others): the halves that have to stay replaceable.
NEVER = [
    ("Generation", "Training"), ("Training", "Generation"), ("Daemon", "Training"), ("Daemon", "Client"),
    *(("Client", engine) for engine in ("Kernels", "Ops", "Models", "Embeddings", "Generation", "Daemon")),
    *(("Wire", other) for other in ("Errors", "Tensors", "Formats")),
]


def layers(document: str) -> tuple[dict[str, int], dict[str, set[str]], dict[str, set[str]]]:
    """Rank, imported targets and imported products of each target, from the table: each `### layer` below `## Layers`
    starts a lower layer."""
    section = document.split("\n## Layers", 1)[-1].split("\n## ", 1)[0]
    rank, imports, outside = {}, {}, {}
    parts = section.split("\n### ")[1:]
    for height, part in enumerate(reversed(parts)):
        for row in ROW.finditer(part):
            rank[row["target"]] = height
            imports[row["target"]] = set(re.findall(r"`(\w+)`", row["imports"]))
            outside[row["target"]] = set(re.findall(r"`(\w+)`", row["outside"]))
    return rank, imports, outside


def package(top: pathlib.Path) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """Imported targets and products of each target that is not a test, as Package.swift declares them."""
    with tempfile.TemporaryDirectory() as scratch:  # of its own, so that it does not wait for a build that runs
        command = ["swift", "package", "--package-path", str(top), "--scratch-path", scratch, "dump-package"]
        dump = subprocess.run(command, check=True, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL).stdout
    imports, outside = {}, {}
    for target in json.loads(dump)["targets"]:
        if target["type"] == "test" or (target.get("path") or "").startswith("Tests/"):
            continue
        imports[target["name"]] = {d["byName"][0] for d in target["dependencies"] if "byName" in d}
        outside[target["name"]] = {d["product"][0] for d in target["dependencies"] if "product" in d}
    return imports, outside


def declared_faults(rank, table, table_outside, declared, declared_outside) -> list[str]:
    found = []
    for target in sorted(set(table) ^ set(declared)):
        where = "Package.swift" if target in table else f"the table of {TABLE}"
        found.append(f"{TABLE}: target '{target}' is missing from {where}")
    for target in sorted(set(table) & set(declared)):
        for kind, said, done in (("targets", table, declared), ("products", table_outside, declared_outside)):
            if said[target] != done[target]:
                found.append(
                    f"{TABLE}: '{target}' imports the {kind} {sorted(done[target])} in Package.swift and "
                    f"{sorted(said[target])} in the table; make both say the same")
        for other in sorted(table[target]):
            if rank.get(other, -1) > rank[target]:
                found.append(f"{TABLE}: '{target}' imports '{other}' of a higher layer; an arrow only points downward")
    return found


def reach(imports: dict[str, set[str]], start: str) -> set[str]:
    """All targets that `start` imports, directly or through others."""
    seen, waiting = set(), [start]
    while waiting:
        for other in imports.get(waiting.pop(), set()) - seen:
            seen.add(other)
            waiting.append(other)
    return seen


def graph_faults(imports: dict[str, set[str]]) -> list[str]:
    found = [f"Package.swift: '{target}' imports itself in a circle" for target in sorted(imports)
             if target in reach(imports, target)]
    found += [f"Package.swift: '{user}' reaches '{other}', from which it has to keep apart"
              for user, other in NEVER if other in reach(imports, user)]
    return found


def source_faults(top: pathlib.Path, declared, declared_outside) -> list[str]:
    """Every import of a source file is declared: SwiftPM itself lets undeclared ones through."""
    found = []
    for path in common.files(top, ".swift"):
        name = path.relative_to(top).as_posix()
        parts = name.split("/")
        if parts[0] != "Sources" or parts[1] not in declared:
            continue
        allowed = declared[parts[1]] | declared_outside[parts[1]] | SYSTEM | {parts[1]}
        source = common.blank_strings_and_comments(path.read_text(encoding="utf-8"))
        for match in IMPORT.finditer(source):
            if match[1] not in allowed:
                line = source.count("\n", 0, match.start(1)) + 1
                found.append(f"{name}:{line}: imports '{match[1]}', which Package.swift does not give '{parts[1]}'")
    return found


def faults(top: pathlib.Path) -> list[str]:
    rank, table, table_outside = layers((top / TABLE).read_text(encoding="utf-8"))
    declared, declared_outside = package(top)
    return (declared_faults(rank, table, table_outside, declared, declared_outside) + graph_faults(declared)
            + source_faults(top, declared, declared_outside))


if __name__ == "__main__":
    common.report("layers", faults(common.root()))
