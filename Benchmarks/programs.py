"""Runs the built programs for the benchmarks: the daemon with a real readiness socket, the client, the trainer."""

import contextlib
import dataclasses
import os
import pathlib
import socket
import subprocess
import time

READY_SECONDS = 60


class Failed(Exception):
    """A program did not do what the measurement needs; the text says which and what it printed."""


@dataclasses.dataclass(frozen=True)
class Setup:
    """Where the programs, the model and the concept's pictures are, the word to start from, and a short folder
    for all that is written."""

    programs: pathlib.Path
    model: pathlib.Path
    concept: pathlib.Path
    word: str
    folder: str

    def program(self, name: str) -> str:
        path = self.programs / name
        if not path.exists():
            raise Failed(f"'{path}' is missing; run 'make release' first")
        return str(path)


@dataclasses.dataclass(frozen=True)
class Finished:
    seconds: float
    peak_kib: int


@dataclasses.dataclass(frozen=True)
class Served:
    """A daemon that said READY=1."""

    process: subprocess.Popen
    socket: str
    seconds_to_ready: float

    def status_kib(self, field: str) -> int:
        """A field of /proc/PID/status that is counted in KiB, such as VmHWM (peak resident set)."""
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1])
        raise Failed(f"the daemon's status has no '{field}'")


def run(command: list[str]) -> Finished:
    """Runs a program to its end and tells its time and its own peak resident set."""
    started = time.perf_counter()
    with open(os.devnull, "rb") as nothing:
        process = subprocess.Popen(command, stdin=nothing, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise Failed(f"'{' '.join(command)}' ended with {process.returncode}:\n{output}")
    return Finished(time.perf_counter() - started, usage.ru_maxrss)


def demo_concept(top: pathlib.Path) -> tuple[pathlib.Path, str]:
    """The concept that the demo teaches: its folder and its initializer word, from Tools/demo/concept."""
    folder, _, word, _ = (top / "Tools" / "demo" / "concept").read_text(encoding="utf-8").split()
    return top / folder, word


def train(setup: Setup, steps: int, output: pathlib.Path) -> Finished:
    return run([
        setup.program("inversion"), "train", "--images", str(setup.concept), "--token", "<bench>",
        "--init-word", setup.word, "--steps", str(steps), "--model", str(setup.model), "--output", str(output)])


def generate(setup: Setup, served: Served, prompt: str, seed: int) -> Finished:
    return run([
        setup.program("inversion"), "generate", prompt, "-o", os.path.join(setup.folder, "picture.png"),
        "--seed", str(seed), "--socket", served.socket])


@contextlib.contextmanager
def daemon(setup: Setup):
    """Starts the daemon, waits for READY=1 on a NOTIFY_SOCKET of our own, and stops it at the end."""
    embeddings = pathlib.Path(setup.folder, "embeddings")
    embeddings.mkdir(exist_ok=True)
    path, notify = os.path.join(setup.folder, "s"), os.path.join(setup.folder, "n")
    for stale in (path, notify):
        pathlib.Path(stale).unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver, open(os.devnull, "rb") as nothing:
        receiver.bind(notify)
        started = time.perf_counter()
        process = subprocess.Popen(
            [setup.program("inversiond"), "--model", str(setup.model), "--embeddings", str(embeddings),
             "--socket", path],
            stdin=nothing, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=os.environ | {"NOTIFY_SOCKET": notify})
        try:
            wait_until_ready(receiver, process)
            yield Served(process, path, time.perf_counter() - started)
        finally:
            process.terminate()
            process.wait(timeout=30)


def wait_until_ready(receiver: socket.socket, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + READY_SECONDS
    receiver.settimeout(0.2)
    while time.monotonic() < deadline:
        try:
            if "READY=1" in receiver.recv(4096).decode().splitlines():
                return
        except TimeoutError:
            pass
        if process.poll() is not None:
            raise Failed(f"inversiond ended with {process.returncode} before it was ready")
    raise Failed(f"inversiond was not ready after {READY_SECONDS} s")
