#!/usr/bin/env python3
"""Small pieces: a file has at most 500 lines, a function 60 (a network's forward or a C microkernel 100), a line 120
characters, a tracked file 1 MiB unless it is model or documentation data."""

import ast
import pathlib
import re

import common

FILE_LINES = 500
FUNCTION_LINES = 60
LONG_FUNCTION_LINES = 100
LINE_CHARACTERS = 120
FILE_BYTES = 1 << 20
# Folders that may hold large files, each committed rarely and on purpose.
LARGE_DATA = ("models/", "concepts/", "docs/", "Tests/", "Sources/CClipMerges/")
CODE = (".swift", ".c", ".h", ".inc", ".py", ".sh")

SWIFT_FUNCTION = re.compile(
    r"(?<![.\w`])(?:func\s+(?P<name>[^\s(<]+)|(?P<init>init[?]?|deinit|subscript)\s*(?=[(<{])"
    r"|(?:var|let)\s+(?P<var>\w+)\s*:[^={}\n]*(?=\{))")
C_FUNCTION = re.compile(r"^(?![#\s}])[\w\s*(),\[\]]*?\b(?P<name>\w+)\s*\([^;{}]*\)\s*\{", re.MULTILINE)


def end_of_braces(text: str, opening: int) -> int:
    """The index of the brace that closes the one at `opening`."""
    depth = 0
    for index in range(opening, len(text)):
        depth += {"{": 1, "}": -1}.get(text[index], 0)
        if depth == 0:
            return index
    return len(text) - 1


def swift_functions(source: str):
    """Yields (name, first line, lines) of each function, initializer and computed property that has a body."""
    text = common.blank_strings_and_comments(source)
    for match in SWIFT_FUNCTION.finditer(text):
        opening = body_after(text, match.end())
        if opening is None:
            continue
        first = text.count("\n", 0, match.start()) + 1
        last = text.count("\n", 0, end_of_braces(text, opening)) + 1
        yield match["name"] or match["init"] or match["var"], first, last - first + 1


def body_after(text: str, position: int):
    """The index of the brace that opens the body of a declaration, or None where it has none (a protocol's)."""
    depth = 0
    for index in range(position, len(text)):
        character = text[index]
        if character in "([":
            depth += 1
        elif character in ")]":
            depth -= 1
            if depth < 0:
                return None
        elif character == "{" and depth == 0:
            return index
        elif character == "}" and depth == 0:
            return None
        elif depth == 0 and re.match(r"\n\s*(?:func|init|var|let|subscript|static|@|public|mutating)\b", text[index:]):
            return None
    return None


def c_functions(source: str):
    text = common.blank_strings_and_comments(source)
    for match in C_FUNCTION.finditer(text):
        first = text.count("\n", 0, match.start()) + 1
        last = text.count("\n", 0, end_of_braces(text, match.end() - 1)) + 1
        yield match["name"], first, last - first + 1


def python_functions(source: str):
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, node.lineno, node.end_lineno - node.lineno + 1


FUNCTIONS = {".swift": swift_functions, ".c": c_functions, ".h": c_functions, ".py": python_functions}


def limit(name: str, path: str) -> int:
    """A network's forward and a microkernel are read from top to bottom: cutting them up hides what they do."""
    forward = path.startswith("Sources/Models/") and (name == "callAsFunction" or "orward" in name)
    return LONG_FUNCTION_LINES if forward or path.startswith("Sources/CKernels/") else FUNCTION_LINES


def faults(top: pathlib.Path) -> list[str]:
    found = []
    for path in common.files(top):
        name = path.relative_to(top).as_posix()
        if path.stat().st_size > FILE_BYTES and not name.startswith(LARGE_DATA):
            found.append(f"{name}: {path.stat().st_size >> 10} KiB; such data belongs in {', '.join(LARGE_DATA)}")
        if path.suffix in CODE:
            found += code_faults(name, path.read_text(encoding="utf-8"), path.suffix)
    return found


def code_faults(name: str, source: str, suffix: str) -> list[str]:
    lines = source.splitlines()
    found = []
    if len(lines) > FILE_LINES:
        found.append(f"{name}: {len(lines)} lines, {FILE_LINES} allowed; split it by what its parts do")
    for number, line in enumerate(lines, 1):
        if len(line) > LINE_CHARACTERS:
            found.append(f"{name}:{number}: {len(line)} characters, {LINE_CHARACTERS} allowed; break the line")
    for function, first, length in FUNCTIONS.get(suffix, lambda _: ())(source):
        if length > limit(function, name):
            found.append(f"{name}:{first}: '{function}' has {length} lines, {limit(function, name)} allowed; "
                         "name its steps as functions")
    return found


if __name__ == "__main__":
    common.report("sizes", faults(common.root()))
