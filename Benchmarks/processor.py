"""What a measurement ran on."""

import os
import pathlib

# What decides how fast 16- and 8-bit products are; the names of Linux.
FEATURES = {"avx512_vnni": "AVX-512 VNNI", "avx_vnni": "AVX-VNNI", "avx512_bf16": "bf16", "amx_int8": "AMX",
            "asimddp": "dot products", "i8mm": "int8 matrices", "bf16": "bf16"}


def name() -> str:
    """The processor's name, and which of the instructions that matter here it has."""
    text = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8")
    lines = [line.split(":", 1) for line in text.splitlines() if ":" in line]
    fields = {key.strip(): value.strip() for key, value in lines}
    flags = fields.get("flags", fields.get("Features", "")).split()
    called = fields.get("model name", "unnamed processor").replace("(R)", "").removesuffix(" Processor")
    found = [feature for flag, feature in FEATURES.items() if flag in flags]
    return f"{called} ({', '.join(found)})" if found else called


def cores() -> str:
    """How many of its cores this process may use, and its name."""
    return f"{len(os.sched_getaffinity(0))} cores of {name()}"
