#!/usr/bin/env python3
"""Shows that each check can fail: a small sound project passes every check, then one fault at a time is planted and the
check has to name it. Checks that cannot fail would let anything through."""

import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent

PACKAGE = """// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "small",
  targets: [
    .target(name: "Base"),
    .target(name: "Top", dependencies: ["Base"]),
  ]
)
"""
ARCHITECTURE = """# Architecture

## Layers

### Upper

| target | imports | outside | what it is |
|---|---|---|---|
| `Top` | `Base` | | uses |

### Lower

| target | imports | outside | what it is |
|---|---|---|---|
| `Base` | | | is used |

## Where do I find

| what | where |
|---|---|
| the base | `Sources/Base/Base.swift` |
"""
MANIFEST = "models-manifest/x.json"
ENTRY = """{"$schema": "./manifest.schema.json", "name": "x", "title": "X", "family": "own", "homepage": "x.md",
 "license": {"name": "L", "url": "https://example.org"}, "source": "a",
 "files": [{"path": "a", "url": "https://example.org/a", "sha256": null, "bytes": null}]}
"""
SOUND = {
    "Package.swift": PACKAGE,
    ".swift-format": (HERE.parents[1] / ".swift-format").read_text(encoding="utf-8"),
    "docs/architecture.md": ARCHITECTURE,
    "README.md": "[the layers](docs/architecture.md#layers)\n",
    "Sources/Base/Base.swift": 'public func base() -> String { "// { \\("}")" }\n',
    "Sources/Top/Top.swift": "import Base\n\npublic let top = base()\n",
    "Sources/CBase/base.c": "int base(int x) { return x; }\n",
    "Tests/BaseTests/BaseTests.swift": "import Base\n\nlet tested = base()\n",
    "tool.sh": "#!/usr/bin/env bash\ntrue\n",
    MANIFEST: ENTRY,
    "models-manifest/manifest.schema.json": (
        HERE.parents[1] / "models-manifest/manifest.schema.json").read_text(encoding="utf-8"),
}
LONG_BODY = "".join(f"  _ = {line}\n" for line in range(60))
HARD_PATH = "/" + "root/model"

# (check, file, its faulty text, what the check has to say)
FAULTS = [
    ("format.sh", "Sources/Base/Base.swift", "public func base()->Int { 1 }\n", "Base.swift:1"),
    ("format.sh", "Sources/Base/Base.swift", "let first = [1].first!\n", "NeverForceUnwrap"),
    ("sizes.py", "Sources/Base/Base.swift", "let x = 1\n" * 501, "501 lines, 500 allowed"),
    ("sizes.py", "Sources/Base/Base.swift", "// " + "x" * 118 + "\n", "121 characters"),
    ("sizes.py", "Sources/Base/Base.swift", "func long() {\n" + LONG_BODY + "}\n", "'long' has 62 lines"),
    ("sizes.py", "Sources/Base/Base.swift", "init(\n  a: Int\n) {\n" + LONG_BODY + "}\n", "'init' has 64 lines"),
    ("sizes.py", "Sources/CBase/base.c", "int f(void) {\n" + "  ;\n" * 60 + "}\n", "'f' has 62 lines"),
    ("sizes.py", "tool.py", "def f():\n" + "    pass\n" * 60, "'f' has 61 lines"),
    ("sizes.py", "notes.txt", "x" * (1 << 20) + "\n", "1024 KiB"),
    ("layers.py", "docs/architecture.md", ARCHITECTURE.replace("`Base` | |", " | |"), "imports the targets"),
    ("layers.py", "docs/architecture.md", ARCHITECTURE.replace("| `Base` | | | is used |\n", ""), "'Base' is missing"),
    ("layers.py", "docs/architecture.md",
     ARCHITECTURE.replace("### Upper", "### X").replace("`Base` | | |", "`Base` | `Top` | |"), "of a higher layer"),
    ("layers.py", "Sources/Base/Base.swift", "@testable import Top\n", "imports 'Top'"),
    ("layers.py", "Sources/Base/Base.swift", "internal import struct NIOCore.ByteBuffer\n", "imports 'NIOCore'"),
    ("manifest.py", MANIFEST, ENTRY.replace('"x"', '"y"'), "the file says 'x'"),
    ("manifest.py", MANIFEST, ENTRY.replace("own", "sdxl"), "'family' is 'sdxl'"),
    ("manifest.py", MANIFEST, ENTRY.replace('"source": "a"', '"source": "b"'), "'b' is none of the files"),
    ("manifest.py", MANIFEST, ENTRY.replace("null", '"0"', 1), "does not match"),
    ("docs.py", "README.md", "[gone](docs/gone.md)\n", "link to 'docs/gone.md'"),
    ("docs.py", "README.md", "[gone](docs/architecture.md#gone)\n", "no such heading"),
    ("docs.py", "README.md", "`Sources/Base/Gone.swift`\n", "names 'Sources/Base/Gone.swift'"),
    ("docs.py", "README.md", "`Sources/Gone/*.swift`\n", "names 'Sources/Gone/*.swift'"),
    ("docs.py", "docs/architecture.md", ARCHITECTURE.replace("`Sources/Base/Base.swift`", "there"), "names no path"),
    ("docs.py", "docs/architecture.md", "# Nothing\n", "has no section"),
    ("docs.py", "Package.swift", PACKAGE + '// .package(url: "https://example.org/unexplained", from: "1.0.0")\n',
     "why 'unexplained' is needed"),
    ("habits.py", "README.md", f"see {HARD_PATH}\n", "machine path"),
    ("habits.py", "Sources/Base/Base.swift", "let x = try! f()\n", "forced try"),
    ("habits.py", "Sources/Base/Base.swift", "func f() { print(1) }\n", "output from library code"),
    ("habits.py", "Sources/Base/Base.swift", "func f() { exit(1) }\n", "exit in library code"),
    ("habits.py", "Sources/Base/Base.swift", "func f() { fatalError() }\n", "fatalError"),
    ("habits.py", "Sources/Base/Base.swift", 'let reason = "not implemented"\n', "stub"),
    ("habits.py", "Tests/BaseTests/BaseTests.swift", "try await Task.sleep(for: .seconds(1))\n", "sleeping test"),
    ("habits.py", "README.md", "words \n", "white space at the end"),
    ("habits.py", "README.md", "words", "no line break at the end"),
    ("habits.py", "tool.py", "def :\n", "tool.py:1"),
    ("habits.py", "tool.sh", "#!/usr/bin/env bash\nif true\n", "syntax error"),
    ("c-warnings.sh", "Sources/CBase/base.c", "int base(int x) { return 0; }\n", "unused parameter"),
]
CIRCLE = PACKAGE.replace('.target(name: "Base")', '.target(name: "Base", dependencies: ["Top"])')


def write(top: pathlib.Path, name: str, text: str) -> None:
    path = top / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755 if name.endswith(".sh") else 0o644)


def run(check: str, top: pathlib.Path) -> tuple[int, str]:
    result = subprocess.run([str(HERE / check), str(top)], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return result.returncode, result.stdout + result.stderr


def plant(top: pathlib.Path, check: str, name: str, text: str, expected: str) -> bool:
    """Plants one fault, runs the check, takes the fault out again; tells whether the check named it."""
    write(top, name, text)
    code, output = run(check, top)
    if name in SOUND:
        write(top, name, SOUND[name])
    else:
        (top / name).unlink()
    caught = code != 0 and expected in output
    if not caught:
        print(f"selftest: {check} let through a fault in {name}: exit {code}, expected '{expected}' in:\n{output}")
    return caught


def planted_circle(top: pathlib.Path) -> bool:
    write(top, "Package.swift", CIRCLE)
    code, output = run("layers.py", top)
    write(top, "Package.swift", SOUND["Package.swift"])
    caught = code != 0 and "in a circle" in output
    if not caught:
        print(f"selftest: layers.py let a circle of targets through:\n{output}")
    return caught


def planted_stale_table() -> bool:
    """A document whose measured table was edited by hand is told apart from the one that the results make."""
    tool = HERE.parents[1] / "Benchmarks" / "table.py"
    caught = True
    for document in ("README.md", "docs/performance.md"):
        text = (HERE.parents[1] / document).read_text(encoding="utf-8")
        with tempfile.TemporaryDirectory() as folder:
            copy = pathlib.Path(folder, "copy.md")
            copy.write_text(text.replace(": begin -->\n", ": begin -->\nten times faster\n", 1), encoding="utf-8")
            check = subprocess.run([sys.executable, str(tool), "--check", str(copy)], capture_output=True, check=False)
        if check.returncode != 1:
            print(f"selftest: table.py let a hand-edited table of {document} through")
            caught = False
    return caught


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        top = pathlib.Path(folder)
        subprocess.run(["git", "-C", folder, "init", "--quiet"], check=True)
        for name, text in SOUND.items():
            write(top, name, text)
        sound = True
        for check in sorted({fault[0] for fault in FAULTS}):
            code, output = run(check, top)
            if code != 0:
                print(f"selftest: {check} finds faults in a sound project:\n{output}")
                sound = False
        caught = [plant(top, *fault) for fault in FAULTS] + [planted_circle(top), planted_stale_table()]
    print(f"selftest: {sum(caught)} of {len(caught)} planted faults were caught")
    return 0 if sound and all(caught) else 1


if __name__ == "__main__":
    os.environ["GIT_CONFIG_NOSYSTEM"] = "1"
    sys.exit(main())
