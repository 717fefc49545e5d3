#!/usr/bin/env python3
"""The models that can be pulled: every models-manifest/NAME.json follows models-manifest/manifest.schema.json, is named
as its file, and imports something that it downloads."""

import json
import pathlib
import re

import common

FOLDER = "models-manifest"
SCHEMA = "manifest.schema.json"
TYPES = {"object": dict, "array": list, "string": str, "integer": int, "null": type(None)}
KNOWN = {
    "$schema", "title", "description", "type", "required", "additionalProperties", "properties", "pattern", "enum",
    "minItems", "minimum", "items", "oneOf",
}


def faults(value, schema: dict, where: str) -> list[str]:
    """What is wrong with a value under the part of JSON Schema that this project uses."""
    unknown = set(schema) - KNOWN
    if unknown:
        return [f"{SCHEMA} uses {', '.join(sorted(unknown))}, which this check does not know"]
    wanted = schema.get("type", [])
    wanted = [wanted] if isinstance(wanted, str) else wanted
    if wanted and not any(type(value) is TYPES[name] for name in wanted):
        return [f"'{where}' is not of type {' or '.join(wanted)}"]
    found = []
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"'{where}' is '{value}', not one of {', '.join(schema['enum'])}")
    if isinstance(value, str) and "pattern" in schema and not re.search(schema["pattern"], value):
        found.append(f"'{where}' is '{value}', which does not match {schema['pattern']}")
    if type(value) is int and value < schema.get("minimum", value):
        found.append(f"'{where}' is {value}, less than {schema['minimum']}")
    if isinstance(value, list):
        if len(value) < schema.get("minItems", 0):
            found.append(f"'{where}' is empty")
        for index, item in enumerate(value):
            found += faults(item, schema.get("items", {}), f"{where}[{index}]")
    if isinstance(value, dict):
        found += object_faults(value, schema, where)
    if "oneOf" in schema:
        fitting = [option for option in schema["oneOf"] if not faults(value, option, where)]
        if len(fitting) != 1:
            found.append(f"it needs exactly one of: {' or '.join(', '.join(o['required']) for o in schema['oneOf'])}")
    return found


def object_faults(value: dict, schema: dict, where: str) -> list[str]:
    properties = schema.get("properties", {})
    found = [f"no '{key}' in {where or 'it'}" for key in schema.get("required", []) if key not in value]
    for key, item in value.items():
        path = f"{where}.{key}" if where else key
        if key in properties:
            found += faults(item, properties[key], path)
        elif schema.get("additionalProperties", True) is False:
            found.append(f"'{path}' is no known key")
    return found


def entry_faults(name: str, entry: dict, top: pathlib.Path) -> list[str]:
    """What the schema cannot say."""
    found = []
    if entry.get("name") != name:
        found.append(f"'name' is '{entry.get('name')}', the file says '{name}'")
    paths = [file["path"] for file in entry.get("files", [])]
    if len(set(paths)) < len(paths):
        found.append("a path is there twice")
    if "source" in entry and entry["source"] != "." and entry["source"] not in paths:
        found.append(f"'source' '{entry['source']}' is none of the files")
    if "bundled" in entry and not (top / entry["bundled"]).is_dir():
        found.append(f"'{entry['bundled']}' is not there")
    return found


def manifest_faults(top: pathlib.Path) -> list[str]:
    folder = top / FOLDER
    if not folder.is_dir():
        return []
    schema = json.loads((folder / SCHEMA).read_text())
    found = []
    for path in sorted(folder.glob("*.json")):
        if path.name == SCHEMA:
            continue
        try:
            entry = json.loads(path.read_text())
            problems = faults(entry, schema, "")
            problems = problems or entry_faults(path.stem, entry, top)
        except json.JSONDecodeError as error:
            problems = [f"no JSON: {error}"]
        found += [f"{FOLDER}/{path.name}: {problem}" for problem in problems]
    return found


if __name__ == "__main__":
    common.report("manifest", manifest_faults(common.root()))
