#!/usr/bin/env python3
"""Soaks a daemon: many clients that ask, leave, cancel, read slowly, send too much and swap words, all at once, for as
long as asked. Tells lost and crossed replies, the slope of its memory and what it holds at the end.

Usage: soak.py [--minutes N] [--clients N] [--seed N] [--width N] [--json FILE] -- COMMAND...
COMMAND starts the daemon, with {socket} and {embeddings} in its place:
    soak.py --minutes 10 -- inversiond --model models/emoji-64 --embeddings {embeddings} --socket {socket}
Exit status: 0 when nothing was lost, crossed or left over, else 1.
"""

import argparse
import base64
import collections
import datetime
import http.client
import json
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

SAMPLE_SECONDS = 1.0
# What was allocated and not freed tells a leak from memory that is free and not given back. While jobs run both move:
# so often all clients pause.
RESTS = 24
REST_SECONDS = 2.0
# Of the fitted line through the second half; a leak of a connection's memory shows as far more.
SLOPE_LIMIT_MIB_PER_HOUR = 24.0
TIMEOUT = 300


class Connection(http.client.HTTPConnection):
    def __init__(self, path: str):
        super().__init__("localhost", timeout=TIMEOUT)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(TIMEOUT)
        self.sock.connect(self.path)


def embedding(name: str, width: int, value: float) -> bytes:
    """A safetensors file of one vector."""
    data = struct.pack(f"<{width}f", *[value] * width)
    header = json.dumps({name: {"dtype": "F32", "shape": [1, width], "data_offsets": [0, len(data)]}}).encode()
    return struct.pack("<Q", len(header)) + header + data


class Soak:
    def __init__(self, path: str, width: int):
        self.path = path
        self.width = width
        self.counts = collections.Counter()
        self.faults: list[str] = []
        self.may_ask = threading.Event()
        self.may_ask.set()
        self.pictures: dict[int, str] = {}  # by seed: equal seeds must give equal pictures
        self.shas: set[str] = set()
        self.embedding_width = self.ask("GET", "/v1/status")[1]["model"]["embedding_width"]
        self.put(0)

    # One exchange; a status and the answer's JSON.
    def ask(self, method: str, route: str, body: bytes | None = None) -> tuple[int, dict]:
        connection = Connection(self.path)
        try:
            connection.request(method, route, body)
            reply = connection.getresponse()
            return reply.status, json.loads(reply.read())
        finally:
            connection.close()

    def wait(self, rng: random.Random) -> None:
        """After a 503: sooner than Retry-After asks, so that the queue stays full."""
        self.counts["refused"] += 1
        time.sleep(rng.uniform(0.05, 0.5))

    def fault(self, text: str) -> None:
        self.faults.append(text)

    def body(self, **fields) -> bytes:
        return json.dumps({"steps": 2, "width": self.width, "height": self.width} | fields).encode()

    # MARK: What clients do

    def generate(self, rng: random.Random) -> None:
        seed, word = rng.randrange(16), f"word{rng.randrange(10**9)}"
        prompt = f"a fox {word}" if rng.random() < 0.5 else "a fox"
        status, reply = self.ask("POST", "/v1/generate", self.body(prompt=prompt, seed=seed))
        if status == 503:
            return self.wait(rng)
        if status != 200:
            return self.fault(f"generate: {status} {reply}")
        picture = reply["pictures"][0]
        if picture["seed"] != seed or not picture["infotext"].startswith(prompt + "\n"):
            return self.fault(f"crossed: asked '{prompt}' {seed}, got {picture['infotext']!r}")
        if prompt == "a fox" and self.pictures.setdefault(seed, picture["data"]) != picture["data"]:
            self.fault(f"seed {seed} gave another picture")
        if not base64.b64decode(picture["data"]).startswith(b"\x89PNG"):
            self.fault("no PNG")
        self.counts["picture"] += 1

    def call_word(self, rng: random.Random) -> None:
        status, reply = self.ask("POST", "/v1/generate", self.body(prompt="a <soak>", strict=True))
        if status == 503:
            return self.wait(rng)
        if status != 200:
            return self.fault(f"a word in force was lost: {status} {reply}")
        if reply["embeddings"]["used"][0]["sha256"] not in self.shas:
            self.fault("a word that nobody has put was used")
        self.counts["picture"] += 1

    def swap(self, rng: random.Random) -> None:
        self.put(rng.randrange(1000))

    def put(self, value: int) -> None:
        import hashlib

        file = embedding("<soak>", self.embedding_width, value / 1000)
        self.shas.add(hashlib.sha256(file).hexdigest())
        status, reply = self.ask("PUT", "/v1/embeddings/soak", file)
        if status != 200:
            return self.fault(f"swap: {status} {reply}")
        self.shas.add(reply["sha256"])

    def stream(self, rng: random.Random) -> None:
        """Events; some leave in the midst of them, some cancel."""
        connection = Connection(self.path)
        try:
            steps = rng.choice([2, 50])
            connection.request("POST", "/v1/generate", self.body(prompt="x", steps=steps, stream=True))
            reply = connection.getresponse()
            if reply.status == 503:
                return self.wait(rng)
            leave_after, cancel_after = rng.randrange(1, 12), rng.randrange(1, 12)
            names = []
            while line := reply.readline():
                if line.startswith(b"event: "):
                    names.append(line[7:].strip().decode())
                elif line.startswith(b"data: ") and names[-1] == "queued":
                    job = json.loads(line[6:])["job"]
                if steps == 50 and len(names) == leave_after:
                    self.counts["left"] += 1
                    return
                if steps == 50 and len(names) == cancel_after and line == b"\n":
                    self.counts["cancelled"] += 1
                    self.ask("POST", f"/v1/cancel/{job}")
            if not names or names[-1] not in ("result", "error"):
                self.fault(f"a stream ended with {names[-3:]}")
        finally:
            connection.close()

    def read_slowly(self, rng: random.Random) -> None:
        connection = Connection(self.path)
        try:
            connection.request("POST", "/v1/generate", self.body(prompt="x", count=4, steps=1))
            reply = connection.getresponse()
            for _ in range(rng.randrange(1, 20)):
                if not reply.read(64):
                    break
                time.sleep(0.02)
        finally:
            connection.close()

    def send_too_much(self, rng: random.Random) -> None:
        status, _ = self.ask("PUT", "/v1/embeddings/large", b"x" * (5 << 20))
        if status not in (413, 503):
            self.fault(f"5 MB as an embedding: {status}")

    def send_nonsense(self, rng: random.Random) -> None:
        bodies = [b"", b"{", b'{"prompt": 7}', b'{"prompt": "x", "steps": 1000000}', os.urandom(100)]
        status, _ = self.ask("POST", "/v1/generate", rng.choice(bodies))
        if status != 400:
            self.fault(f"nonsense: {status}")

    def break_off(self, rng: random.Random) -> None:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(self.path)
            start = b"POST /v1/generate HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{\"pro"
            client.sendall(start[: rng.randrange(80)])

    def look(self, rng: random.Random) -> None:
        status, _ = self.ask("GET", rng.choice(["/v1/status", "/v1/embeddings", "/v1/models", "/sdapi/v1/progress"]))
        if status != 200:
            self.fault(f"look: {status}")

    def metric(self, name: str) -> float:
        connection = Connection(self.path)
        try:
            connection.request("GET", "/metrics")
            lines = connection.getresponse().read().decode().splitlines()
        finally:
            connection.close()
        return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))

    def rest(self) -> float:
        """Allocated MiB while all clients pause."""
        self.may_ask.clear()
        try:
            while (status := self.ask("GET", "/v1/status")[1]) and ("current" in status or status["queue"]["waiting"]):
                time.sleep(0.1)
            time.sleep(REST_SECONDS)
            return self.metric("inversion_allocated_bytes") / 2**20
        finally:
            self.may_ask.set()

    ACTIONS = [
        (generate, 8), (call_word, 4), (swap, 2), (stream, 5), (read_slowly, 1), (send_too_much, 1), (send_nonsense, 2),
        (break_off, 2), (look, 3),
    ]

    def client(self, seed: int, deadline: float) -> None:
        rng = random.Random(seed)
        actions, weights = zip(*self.ACTIONS)
        while time.monotonic() < deadline:
            self.may_ask.wait()
            action = rng.choices(actions, weights)[0]
            try:
                action(self, rng)
                self.counts[action.__name__] += 1
            except (OSError, http.client.HTTPException, ValueError) as error:
                self.fault(f"{action.__name__}: lost: {error!r}")


def is_listening(path: str) -> bool:
    """A socket has its path before it listens."""
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(path) == 0


def status_of(pid: int) -> tuple[float, int]:
    """Resident MiB and open descriptors."""
    with open(f"/proc/{pid}/status") as file:
        resident = next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))
    return resident / 1024, len(os.listdir(f"/proc/{pid}/fd"))


def slope(samples: list[tuple[float, float]]) -> float:
    """MiB an hour, by least squares over the second half: the first one fills pools."""
    half = samples[len(samples) // 2 :]
    mean_x, mean_y = (sum(part) / len(half) for part in zip(*half))
    spread = sum((x - mean_x) ** 2 for x, _ in half)
    return 3600 * sum((x - mean_x) * (y - mean_y) for x, y in half) / spread if spread else 0.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--clients", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--width", type=int, default=64, help="pixels on a side")
    parser.add_argument("--json", help="where the result goes")
    parser.add_argument("command", nargs="+")
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        path, words = f"{folder}/s", f"{folder}/e"
        os.mkdir(words)
        command = [part.format(socket=path, embeddings=words) for part in arguments.command]
        with open(f"{folder}/log", "w") as log:
            daemon = subprocess.Popen(command, stderr=log)
        try:
            result = run(arguments, daemon, path)
        finally:
            daemon.send_signal(signal.SIGTERM)
            ended = daemon.wait(60)
    result["exit_status"] = ended
    print(json.dumps(result, indent=2))
    if arguments.json:
        with open(arguments.json, "w") as file:
            file.write(json.dumps(result, indent=2) + "\n")
    is_sound = not result["faults"] and ended == 0 and result["left_over"] == [] and (
        arguments.minutes < 5 or result["slope_mib_per_hour"] < SLOPE_LIMIT_MIB_PER_HOUR)
    return 0 if is_sound else 1


def run(arguments: argparse.Namespace, daemon: subprocess.Popen, path: str) -> dict:
    while not is_listening(path):
        if daemon.poll() is not None:
            sys.exit("soak: the daemon did not start")
        time.sleep(0.05)
    soak = Soak(path, arguments.width)
    start = status_of(daemon.pid)
    began = time.monotonic()
    deadline = began + 60 * arguments.minutes
    threads = [
        threading.Thread(target=soak.client, args=(arguments.seed * 1000 + number, deadline), daemon=True)
        for number in range(arguments.clients)
    ]
    for thread in threads:
        thread.start()
    samples = []
    rests = []
    while any(thread.is_alive() for thread in threads):
        if daemon.poll() is not None:
            sys.exit(f"soak: the daemon ended with status {daemon.returncode}: {soak.faults[:3]}")
        samples.append((time.monotonic() - began, status_of(daemon.pid)[0]))
        if samples[-1][0] >= (len(rests) + 1) * 60 * arguments.minutes / RESTS:
            rests.append((time.monotonic() - began, soak.rest()))
        time.sleep(SAMPLE_SECONDS)
    left_over = []
    # Jobs of clients that left end within a step.
    for _ in range(200):
        status = soak.ask("GET", "/v1/status")[1]
        left_over = [part for part in ("current",) if part in status] + ["waiting"] * (status["queue"]["waiting"] > 0)
        descriptors = status_of(daemon.pid)[1]
        if not left_over and descriptors <= start[1]:
            break
        time.sleep(0.05)
    else:
        left_over += [f"{descriptors - start[1]} descriptors"] if descriptors > start[1] else []
    return {
        "date": datetime.date.today().isoformat(), "minutes": arguments.minutes, "clients": arguments.clients,
        "actions": dict(sorted(soak.counts.items())),
        "faults": soak.faults[:20], "fault_count": len(soak.faults), "left_over": left_over,
        "mib_at_start": round(start[0], 1), "mib_at_end": round(samples[-1][1], 1),
        "mib_largest": round(max(mib for _, mib in samples), 1), "slope_mib_per_hour": round(slope(samples), 1),
        "allocated_mib_at_rest": [round(mib, 2) for _, mib in rests],
        "allocated_slope_mib_per_hour": round(slope(rests), 2),
    }


if __name__ == "__main__":
    sys.exit(main())
