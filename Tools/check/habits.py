#!/usr/bin/env python3
"""What must not stand in a file: paths of one machine, forced unwraps and exits in library code, logging from library
code, sleeping tests, stubs, white space at line ends, a missing last line break, scripts that do not parse."""

import ast
import pathlib
import re
import subprocess

import common

PROGRAMS = ("Sources/inversion/", "Sources/inversiond/")


def library(name: str) -> bool:
    return name.startswith("Sources/") and name.endswith(".swift") and not name.startswith(PROGRAMS)


def source(name: str) -> bool:
    return name.startswith("Sources/")


def test(name: str) -> bool:
    return name.startswith("Tests/")


def anywhere(_: str) -> bool:
    return True


# (name, where it is searched, expression, what to do instead)
RULES = [
    ("machine path", anywhere, r"(?<![\w.~-])/(?:root|work|home/[a-z]\w*|opt/(?!swift[/*]))(?:/|\b)[\w./-]*",
     "give the path by a flag or make it relative"),
    ("stub", source, r"(?i)\bnot (?:yet )?(?:built|implemented)(?: yet)?\b|\bTODO\b|\bFIXME\b",
     "build it, or leave it out"),
    ("forced try", source, r"\btry!", "throw an InversionError"),
    ("fatalError", source, r"\bfatalError\s*\(", "throw for outside things, precondition for our own mistakes"),
    ("exit in library code", library, r"(?<![.\w])exit\s*\(", "throw; the programs choose the exit status"),
    ("output from library code", library, r"(?<![.\w])(?:print|debugPrint|dump|NSLog)\s*\(",
     "return or throw it; the programs print"),
    ("sleeping test", test, r"\b(?:Task\.sleep|usleep|Thread\.sleep)\b|(?<![.\w])sleep\s*\(", "await the event itself"),
]
# These are searched in strings and comments too.
EVERYWHERE = ("machine path", "stub")
BINARY = {".png", ".webp", ".jpg", ".jpeg", ".safetensors", ".pt", ".bin", ".gz", ".npy", ".npz", ".gguf", ".ckpt"}
# Golden text is kept byte for byte as the other program wrote it.
VERBATIM = ("Golden/", "Crashes/", "Tools/fuzz/seeds/", "Samples/", "Resources/", "models/", "LICENSE")


def rule_faults(name: str, text: str) -> list[str]:
    code = common.blank_strings_and_comments(text) if name.endswith(".swift") else text
    found = []
    for title, applies, expression, advice in RULES:
        searched = text if title in EVERYWHERE else code
        for match in re.finditer(expression, searched) if applies(name) else ():
            line = searched.count("\n", 0, match.start()) + 1
            found.append(f"{name}:{line}: {title} '{match[0].strip()}'; {advice}")
    return found


def space_faults(name: str, text: str) -> list[str]:
    found = [f"{name}:{number}: white space at the end of the line" for number, line in enumerate(text.split("\n"), 1)
             if line != line.rstrip()]
    found += [f"{name}:{number}: a tab" for number, line in enumerate(text.split("\n"), 1)
              if "\t" in line and not re.search(r"(?:^|/)Makefile$|\.mk$", name)]
    if text and not text.endswith("\n"):
        found.append(f"{name}: no line break at the end")
    return found


def script_faults(path: pathlib.Path, name: str, text: str) -> list[str]:
    if path.suffix == ".py":
        try:
            ast.parse(text)
        except SyntaxError as error:
            return [f"{name}:{error.lineno}: {error.msg}"]
    if text.startswith(("#!/usr/bin/env bash", "#!/bin/sh")):
        result = subprocess.run(["bash", "-n", str(path)], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if result.returncode:
            return [f"{name}: {result.stderr.strip()}"]
        if not path.stat().st_mode & 0o100:
            return [f"{name}: a script that is not executable; chmod +x"]
    return []


def faults(top: pathlib.Path) -> list[str]:
    found = []
    for path in common.files(top):
        name = path.relative_to(top).as_posix()
        if path.suffix in BINARY or any(part in name for part in VERBATIM):
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            found.append(f"{name}: neither UTF-8 text nor of a known binary kind")
            continue
        if name != "Tools/check/habits.py" and name != "Tools/check/selftest.py":  # both quote the faults
            found += rule_faults(name, text)
        found += space_faults(name, text) + script_faults(path, name, text)
    return found


if __name__ == "__main__":
    common.report("habits", faults(common.root()))
