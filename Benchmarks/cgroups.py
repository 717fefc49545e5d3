"""A memory cgroup for one process, in the first or the second version of the kernel's interface."""

import contextlib
import functools
import os
import pathlib
import time

MOUNTS = pathlib.Path("/proc/self/mounts")
OWN = pathlib.Path("/proc/self/cgroup")
# Version 1 shows 'no limit' as the largest multiple of a page; writing -1 sets it.
UNLIMITED_V1 = "-1"
REMOVAL_SECONDS = 10


class NoRights(Exception):
    """No memory cgroup can be made here; the text says what to do."""


class Group:
    """A cgroup below the own one. `limit_mb` is None for none; swap is not used."""

    def __init__(self, folder: pathlib.Path, limit_mb: int | None):
        self.folder = folder
        try:
            folder.mkdir()
        except OSError as error:
            raise NoRights(f"'{folder}': {error.strerror}; {REMEDY}") from error
        try:
            self.set_limit(limit_mb)
        except OSError as error:
            folder.rmdir()
            raise NoRights(f"'{folder}': no limit can be set ({error.strerror}); {REMEDY}") from error

    def write(self, name: str, value: str) -> None:
        (self.folder / name).write_text(value, encoding="ascii")

    def read(self, name: str) -> int:
        return int((self.folder / name).read_text(encoding="ascii"))

    def fields(self, name: str) -> dict[str, int]:
        lines = (self.folder / name).read_text(encoding="ascii").splitlines()
        return {key: int(value) for key, value in (line.split() for line in lines)}

    def enter(self) -> None:
        """Called in the child before it becomes the command."""
        self.write("cgroup.procs", str(os.getpid()))

    def remove(self) -> None:
        deadline = time.monotonic() + REMOVAL_SECONDS
        while True:  # a killed process leaves its cgroup a moment later
            try:
                return self.folder.rmdir()
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)


class Version1(Group):
    def set_limit(self, limit_mb: int | None) -> None:
        self.write("memory.limit_in_bytes", str(limit_mb * 10**6) if limit_mb else UNLIMITED_V1)
        with contextlib.suppress(OSError):  # page cache goes before anonymous memory, and none of it to swap
            self.write("memory.swappiness", "0")

    def peak(self) -> int:
        return self.read("memory.max_usage_in_bytes")

    def statistics(self) -> dict[str, int]:
        found = self.fields("memory.stat")
        return {"anon": found["total_rss"], "file": found["total_cache"], "major_faults": found["total_pgmajfault"]}

    def kills(self) -> int:
        return self.fields("memory.oom_control").get("oom_kill", 0)


class Version2(Group):
    def set_limit(self, limit_mb: int | None) -> None:
        self.write("memory.max", str(limit_mb * 10**6) if limit_mb else "max")
        with contextlib.suppress(OSError):  # there is no such file without swap
            self.write("memory.swap.max", "0")

    def peak(self) -> int:
        return self.read("memory.peak")

    def statistics(self) -> dict[str, int]:
        found = self.fields("memory.stat")
        return {"anon": found["anon"], "file": found["file"], "major_faults": found["pgmajfault"]}

    def kills(self) -> int:
        return self.fields("memory.events")["oom_kill"]


REMEDY = "run as root, or under 'systemd-run --user --scope --property=Delegate=yes'"


def own_folder() -> tuple[type[Group], pathlib.Path]:
    """The cgroup that this process is in, in the hierarchy that limits memory."""
    mounts = [line.split() for line in MOUNTS.read_text(encoding="ascii").splitlines()]
    own = [line.split(":", 2) for line in OWN.read_text(encoding="ascii").splitlines()]
    for _, place, kind, options, *_ in mounts:
        if kind == "cgroup" and "memory" in options.split(","):
            path = next(path for _, controllers, path in own if "memory" in controllers.split(","))
            return Version1, pathlib.Path(place + path)
    for _, place, kind, *_ in mounts:
        if kind == "cgroup2":
            path = next(path for number, _, path in own if number == "0")
            return Version2, pathlib.Path(place + path)
    raise NoRights("no cgroups are mounted; mount cgroup2 on '/sys/fs/cgroup'")


def delegate(folder: pathlib.Path) -> None:
    """Lets a cgroup of version 2 have children with limits of memory: it must hold no process itself."""
    if "memory" in (folder / "cgroup.subtree_control").read_text(encoding="ascii").split():
        return
    try:
        inner = folder / "bench-self"
        inner.mkdir(exist_ok=True)
        (inner / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")
        (folder / "cgroup.subtree_control").write_text("+memory", encoding="ascii")
    except OSError as error:
        raise NoRights(f"'{folder}': {error.strerror}; {REMEDY}") from error


@functools.cache
def parent() -> tuple[type[Group], pathlib.Path]:
    """Where the cgroups are made; asked once, because delegating moves this process."""
    version, folder = own_folder()
    if version is Version2:
        delegate(folder)
    return version, folder


@contextlib.contextmanager
def group(limit_mb: int | None):
    """A cgroup for one command, removed at the end."""
    version, folder = parent()
    made = version(folder / f"bench-{os.getpid()}", limit_mb)
    try:
        yield made
    finally:
        made.remove()
