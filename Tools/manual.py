#!/usr/bin/env python3
"""Writes a program's manual page from its own description of its commands and flags.

Usage: PROGRAM --experimental-dump-help | manual.py SECTION [FOOTER]   (FOOTER: a file of mdoc that is put at the end)
"""

import json
import re
import sys
from pathlib import Path


def main() -> None:
    section = sys.argv[1]
    command = json.load(sys.stdin)["command"]
    name = command["commandName"]
    lines = [".Dd $Mdocdate$", f".Dt {name.upper()} {section}", ".Os Inversion", ".Sh NAME", f".Nm {name}",
             f".Nd {lower_first(text(command['abstract']).rstrip('.'))}"]
    commands = [part for part in command.get("subcommands", []) if part["commandName"] != "help"]
    lines += [".Sh SYNOPSIS"]
    lines += [f".Nm {name} {text(part['commandName'])} ..." for part in commands] or synopsis(name, command)
    description, statuses = exit_statuses(command.get("discussion", ""))
    lines += [".Sh DESCRIPTION", *paragraphs(description)]
    if commands:
        lines += [".Sh OPTIONS", *options(command), ".Sh COMMANDS"]
        for part in commands:
            lines += subcommand(part, part["commandName"])
    else:
        lines += [".Sh OPTIONS", *options(command)]
    if statuses:
        lines += [".Sh EXIT STATUS", ".Bl -tag -width Ds"]
        lines += [line for number, meaning in statuses for line in (f".It {number}", text(upper_first(meaning) + "."))]
        lines += [".El"]
    if len(sys.argv) > 2:
        lines += Path(sys.argv[2]).read_text().splitlines()
    print("\n".join(lines))


def exit_statuses(discussion: str) -> tuple[str, list[tuple[str, str]]]:
    """The discussion without its paragraph `Exit status: 0 done, 64 bad flag, ...`, and that taken apart."""
    parts = discussion.split("\n\n")
    said = next((part for part in parts if part.startswith("Exit status: ")), None)
    if said is None:
        return discussion, []
    items = re.split(r",\s+(?=\d)", said.removeprefix("Exit status: ").strip().rstrip("."))
    rest = "\n\n".join(part for part in parts if part is not said)
    return rest, [tuple(" ".join(item.split()).split(" ", 1)) for item in items]


def subcommand(command: dict, path: str) -> list[str]:
    lines = [f".Ss {text(path)}", *paragraphs(command.get("abstract", "")), *paragraphs(command.get("discussion", ""))]
    nested = [part for part in command.get("subcommands", []) if part["commandName"] != "help"]
    for part in nested:
        lines += subcommand(part, f"{path} {part['commandName']}")
    # What all commands have is said once, of the program.
    return lines if nested else lines + options(command, without={"version", "help"})


def synopsis(name: str, command: dict) -> list[str]:
    lines = [f".Nm {name}"]
    for argument in command.get("arguments", []):
        if argument.get("shouldDisplay", True):
            item = label(argument)
            lines.append(f".Op {item}" if argument["isOptional"] else f".{item}")
    return lines


def options(command: dict, without: set[str] = frozenset()) -> list[str]:
    lines = [".Bl -tag -width Ds"]
    for argument in command.get("arguments", []):
        names = {name["name"] for name in argument.get("names", [])}
        if not argument.get("shouldDisplay", True) or names & without:
            continue
        lines += [f".It {label(argument)}", *paragraphs(argument.get("abstract", ""))]
        values = argument.get("allValues") or []
        default = argument.get("defaultValue")
        if values and not any(value in argument.get("abstract", "") for value in values):
            lines.append(text(f"One of {', '.join(values)}."))
        if default:
            lines.append(text(f"By default {default}."))
    return lines + [".El"]


def label(argument: dict) -> str:
    """`Fl -steps Ar n`, `Ar prompt`."""
    value = text(argument.get("valueName", "value"))
    if argument["kind"] == "positional":
        return f"Ar {value}"
    names = [("-" if name["kind"] == "long" else "") + name["name"] for name in argument.get("names", [])]
    flags = " , ".join(f"Fl {text(name)}" for name in names)
    return flags if argument["kind"] == "flag" else f"{flags} Ar {value}"


def paragraphs(words: str) -> list[str]:
    lines = []
    for number, paragraph in enumerate(part for part in words.split("\n\n") if part.strip()):
        lines += [".Pp"] * (number > 0) + [text(" ".join(paragraph.split()))]
    return lines


def lower_first(words: str) -> str:
    return words[:1].lower() + words[1:]


def upper_first(words: str) -> str:
    return words[:1].upper() + words[1:]


def text(words: str) -> str:
    """Safe in roff: no escapes, no control line."""
    words = words.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + words if words.startswith((".", "'")) else words


if __name__ == "__main__":
    main()
