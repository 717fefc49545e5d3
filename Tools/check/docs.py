#!/usr/bin/env python3
"""Every path that a document names exists: relative links, and words in back ticks that begin with a folder or file of
the project (`Sources/Models/VAE.swift`, `docs/*.md`). Each row of a 'where do I find' table names at least one. Each
package that the manifest depends on has its paragraph in CONTRIBUTING.md."""

import pathlib
import re

import common

LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^)\s]+)[^)]*\)")
TICKED = re.compile(r"`(?P<text>[^`\n]+)`")
FIND_TABLE = re.compile(r"^## Where do I find\b.*?\n(?P<rows>.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
# Written by the habits and therefore not in a clone.
OUTPUTS = {"demo-output", ".build", "Package.resolved"}


def anchors(document: str) -> set[str]:
    """The names by which a link can reach a heading, made as code hosts make them."""
    headings = re.findall(r"^#+ +(.+?) *$", document, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def link_faults(path: pathlib.Path, text: str) -> list[str]:
    found = []
    for match in LINK.finditer(text):
        target, _, anchor = match["target"].partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        place = (path.parent / target) if target else path
        line = text.count("\n", 0, match.start()) + 1
        if not place.exists():
            found.append(f"{line}: link to '{match['target']}', which does not exist")
        elif anchor and place.suffix == ".md" and anchor not in anchors(place.read_text(encoding="utf-8")):
            found.append(f"{line}: link to '{match['target']}', which has no such heading")
    return found


def mentioned_paths(text: str, names: set[str]):
    """Yields (line, path) of each word in back ticks that begins with one of the project's top names."""
    for match in TICKED.finditer(text):
        for word in match["text"].split():
            word = word.rstrip(".,;:")
            first = word.removeprefix("./").split("/")[0]
            if first in names and ("/" in word or "." in word) and not re.search(r"[<>{}$…=]|\.\.\.", word):
                yield text.count("\n", 0, match.start()) + 1, word.removeprefix("./")


def exists(top: pathlib.Path, word: str) -> bool:
    return any(top.glob(word.rstrip("/"))) if "*" in word else (top / word).exists()


def find_table_faults(text: str, names: set[str]) -> list[str]:
    section = FIND_TABLE.search(text)
    if section is None:
        return []
    first = text.count("\n", 0, section.start("rows")) + 1
    rows = [(first + i, row) for i, row in enumerate(section["rows"].splitlines()) if row.startswith("|")]
    return [f"{line}: this row of 'where do I find' names no path" for line, row in rows[2:]
            if not any(True for _ in mentioned_paths(row, names))]


def dependency_faults(top: pathlib.Path) -> list[str]:
    manifest, guide = top / "Package.swift", top / "CONTRIBUTING.md"
    packages = re.findall(r'\.package\(url: "[^"]*/([\w.-]+?)(?:\.git)?"', manifest.read_text(encoding="utf-8"))
    text = guide.read_text(encoding="utf-8") if guide.exists() else ""
    return [f"CONTRIBUTING.md: no paragraph says why '{package}' is needed; begin one with **{package}**"
            for package in packages if f"**{package}**" not in text]


def faults(top: pathlib.Path) -> list[str]:
    names = {p.relative_to(top).parts[0] for p in common.files(top)} | {
        "Sources", "Tests", "Tools", "Benchmarks", "docs", "units", "models", "concepts", "models-manifest"}
    found = []
    for path in common.files(top, ".md"):
        text = path.read_text(encoding="utf-8")
        missing = [f"{line}: names '{word}', which does not exist"
                   for line, word in mentioned_paths(text, names - OUTPUTS)
                   if not exists(top, word) and not exists(path.parent, word)]
        name = path.relative_to(top).as_posix()
        found += [f"{name}:{fault}" for fault in link_faults(path, text) + missing + find_table_faults(text, names)]
    if not FIND_TABLE.search((top / "docs/architecture.md").read_text(encoding="utf-8")):
        found.append("docs/architecture.md: has no section 'Where do I find'")
    return found + dependency_faults(top)


if __name__ == "__main__":
    common.report("docs", faults(common.root()))
