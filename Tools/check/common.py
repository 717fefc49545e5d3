"""What the checks share: the project's files, comment stripping, and one way to report.

A check is a script `NAME.py [ROOT]` that prints one line per fault, `path:line: what; what to do`, and exits with 1
when there is any. Only Python's standard library is used.
"""

import pathlib
import subprocess
import sys


def root() -> pathlib.Path:
    """The folder to check: the first argument, or the project that this file belongs to."""
    return pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2]


def files(top: pathlib.Path, *suffixes: str) -> list[pathlib.Path]:
    """Tracked and not ignored files under `top` with one of the suffixes (all files without any), sorted."""
    listing = subprocess.run(
        ["git", "-C", str(top), "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        check=True, capture_output=True).stdout.decode()
    paths = {top / name for name in listing.split("\0") if name}
    return sorted(p for p in paths if p.is_file() and (not suffixes or p.suffix in suffixes))


def report(check: str, faults: list[str]) -> None:
    """Prints the faults and ends the check."""
    for fault in faults:
        print(f"{check}: {fault}")
    sys.exit(1 if faults else 0)


def blank_strings_and_comments(source: str) -> str:
    """Swift or C source with the inside of strings and comments blanked, line breaks kept: what is left can be searched
    for braces and keywords."""
    out = list(source)
    position = 0
    while position < len(source):
        end = _end_of_opaque(source, position)
        if end is None:
            position += 1
            continue
        for index in range(position, end):
            if out[index] != "\n":
                out[index] = " "
        position = end
    return "".join(out)


def _end_of_opaque(source: str, start: int) -> int | None:
    """Where the comment or string that begins at `start` ends, or None if none begins there."""
    if source.startswith("//", start):
        return _find(source, "\n", start)
    if source.startswith("/*", start):
        return _end_of_block_comment(source, start)
    hashes = 0
    while source.startswith("#", start + hashes):
        hashes += 1
    quote = start + hashes
    if source.startswith('"""', quote):
        return _end_of_string(source, quote + 3, '"""' + "#" * hashes, raw=hashes > 0, many_lines=True)
    if source.startswith('"', quote):
        return _end_of_string(source, quote + 1, '"' + "#" * hashes, raw=hashes > 0, many_lines=False)
    if source.startswith("'", start) and start + 2 < len(source) and "'" in source[start + 2 : start + 4]:
        return source.index("'", start + 2) + 1  # a C character such as '{'
    return None


def _find(source: str, needle: str, start: int) -> int:
    found = source.find(needle, start)
    return len(source) if found < 0 else found


def _end_of_block_comment(source: str, start: int) -> int:
    depth, position = 1, start + 2  # Swift's block comments nest
    while position < len(source) and depth:
        if source.startswith("/*", position):
            depth, position = depth + 1, position + 2
        elif source.startswith("*/", position):
            depth, position = depth - 1, position + 2
        else:
            position += 1
    return position


def _end_of_string(source: str, position: int, closing: str, raw: bool, many_lines: bool) -> int:
    """The end of a string whose text begins at `position`; an interpolation `\\( … )` may hold strings of its own."""
    while position < len(source):
        if source.startswith(closing, position):
            return position + len(closing)
        if source[position] == "\n" and not many_lines:
            return position  # not a string after all, such as an apostrophe in a preprocessor line
        if source[position] == "\\" and not raw:
            if source.startswith("\\(", position):
                position = _end_of_interpolation(source, position + 2)
                continue
            position += 1
        position += 1
    return position


def _end_of_interpolation(source: str, position: int) -> int:
    depth = 1
    while position < len(source) and depth:
        inner = _end_of_opaque(source, position)
        if inner is not None:
            position = inner
            continue
        depth += {"(": 1, ")": -1}.get(source[position], 0)
        position += 1
    return position
