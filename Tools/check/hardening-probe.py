"""Run in the service's place, under its unit: tries what the hardening must forbid, and names what was possible."""

import ctypes
import mmap
import os
import socket
import sys
from pathlib import Path

libc = ctypes.CDLL(None, use_errno=True)


def syscall(result: int) -> None:
    if result == -1:
        raise OSError(ctypes.get_errno(), "refused")


def writable_code() -> None:
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)


ATTEMPTS = {
    "an Internet socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
    "a file in /etc": lambda: Path("/etc/inversion-probe").write_text("x"),
    "a file in /usr": lambda: Path("/usr/inversion-probe").write_text("x"),
    "a home": lambda: os.listdir(Path("/", "root")),
    "memory that is writable and runs": writable_code,
    "a mount": lambda: syscall(libc.mount(b"none", b"/tmp", b"tmpfs", 0, None)),
    "a namespace": lambda: syscall(libc.unshare(0x10000000)),
    "another user": lambda: os.setuid(0),
    "the clock": lambda: syscall(libc.settimeofday(ctypes.create_string_buffer(16), None)),
    "a device": lambda: os.mknod("/tmp/inversion-probe", 0o20600, os.makedev(1, 1)),
}

possible = []
for name, attempt in ATTEMPTS.items():
    try:
        attempt()
        possible.append(name)
    except OSError:
        pass
# What it needs must work.
state = Path("/var/lib/inversion/embeddings/.probe")
state.write_text("x")
state.unlink()
if possible:
    sys.exit(f"possible: {', '.join(possible)}")
