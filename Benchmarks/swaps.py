#!/usr/bin/env python3
"""Hot swaps, measured on the built daemon with the embedded model: `Benchmarks/swaps.py [--swaps N] [--output FILE]`.

The time from a file's rename to its vectors' use; thousands of swaps while pictures are made, each compared byte for
byte with the reference of the embedding that it names; writers killed in the middle; a folder of ten thousand files.
Writes Benchmarks/results/embeddings.json; fails when a request fails or a picture is not what it says."""

import argparse
import base64
import hashlib
import http.client
import json
import os
import pathlib
import random
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

import programs

TOP = pathlib.Path(__file__).resolve().parents[1]
WIDTH = 192  # of the embedded model
CONTENTS = 8
REST_SECONDS = 3
ORDER = {"prompt": "a photo of <swap>", "steps": 1, "guidance_scale": 1, "seed": 1, "format": "png"}


class Connection(http.client.HTTPConnection):
    """HTTP over the daemon's Unix socket."""

    def __init__(self, path: str):
        super().__init__("localhost", timeout=120)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(120)
        self.sock.connect(self.path)

    def ask(self, method: str, route: str, body=None) -> tuple[int, dict]:
        self.request(method, route, body=None if body is None else json.dumps(body))
        reply = self.getresponse()
        return reply.status, json.loads(reply.read())


def embedding(name: str, seed: int, vectors: int = 1) -> bytes:
    """An embedding file as diffusers writes it, of seeded values."""
    values = random.Random(seed)
    data = struct.pack(f"<{vectors * WIDTH}f", *(values.gauss(0, 0.05) for _ in range(vectors * WIDTH)))
    entry = {"dtype": "F32", "shape": [vectors, WIDTH], "data_offsets": [0, len(data)]}
    header = json.dumps({name: entry}).encode()
    header += b" " * (-len(header) % 8)
    return struct.pack("<Q", len(header)) + header + data


def place(content: bytes, target: pathlib.Path) -> float:
    """Writes beside, renames, and tells the time of the rename."""
    aside = target.parent.parent / f"aside-{threading.get_ident()}"
    aside.write_bytes(content)
    started = time.perf_counter()
    os.rename(aside, target)
    return started


def wait_in_force(connection: Connection, name: str, sha256: str, limit: float = 30) -> tuple[float, int]:
    """The time at which an embedding is known to be in force, and the store's generation of it."""
    route = "/v1/embeddings/" + urllib.parse.quote(name, safe="")
    deadline = time.perf_counter() + limit
    while time.perf_counter() < deadline:
        status, reply = connection.ask("GET", route)
        if status == 200 and reply["sha256"] == sha256:
            return time.perf_counter(), reply["generation"]
    raise programs.Failed(f"'{name}' was not in force after {limit} s")


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def times(values: list[float]) -> dict[str, float]:
    return {f"p{round(100 * share)}_ms": round(1000 * percentile(values, share), 3) for share in (0.5, 0.99)}


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Swaps:
    """Swaps of one file under load."""

    def __init__(self, served: programs.Served, folder: pathlib.Path):
        self.served = served
        self.target = folder / "swap.safetensors"
        self.contents = [embedding("<swap>", seed) for seed in range(CONTENTS)]
        self.references: dict[str, str] = {}
        self.generations: dict[int, str] = {}
        self.pictures = 0
        self.failures: list[str] = []
        self.done = threading.Event()

    def picture(self, connection: Connection) -> tuple[dict, str]:
        status, reply = connection.ask("POST", "/v1/generate", ORDER)
        if status != 200:
            raise programs.Failed(f"a request failed with {status}: {reply}")
        return reply["embeddings"]["used"][0], digest(base64.b64decode(reply["pictures"][0]["data"]))

    def learn_references(self, connection: Connection) -> None:
        for content in self.contents:
            place(content, self.target)
            wait_in_force(connection, "<swap>", digest(content))
            used, picture = self.picture(connection)
            self.references[used["sha256"]] = picture
        if len(set(self.references.values())) != CONTENTS:
            raise programs.Failed("two contents draw the same picture: a mixture would not show")

    def latencies(self, connection: Connection, count: int) -> list[float]:
        found = []
        for number in range(count):
            content = self.contents[number % CONTENTS]
            started = place(content, self.target)
            ended, generation = wait_in_force(connection, "<swap>", digest(content))
            self.generations[generation] = digest(content)
            found.append(ended - started)
        return found

    def draw(self) -> None:
        """Asks for pictures until all swaps are done, and compares each."""
        connection = Connection(self.served.socket)
        while not self.done.is_set():
            try:
                used, picture = self.picture(connection)
            except Exception as error:  # whatever it is, the measurement has failed
                self.failures.append(f"{type(error).__name__}: {error}")
                connection = Connection(self.served.socket)
                continue
            self.pictures += 1
            if self.references.get(used["sha256"]) != picture:
                self.failures.append(f"generation {used['generation']}: not the picture of {used['sha256']}")
            if self.generations.get(used["generation"], used["sha256"]) != used["sha256"]:
                self.failures.append(f"generation {used['generation']} names {used['sha256']}")

    def at_rest(self) -> int:
        """Resident KiB after a while without a request."""
        time.sleep(REST_SECONDS)
        return self.served.status_kib("VmRSS")

    def under_load(self, connection: Connection, count: int) -> dict:
        self.swap_and_draw(connection, count // 10)
        before = self.at_rest()
        found = self.swap_and_draw(connection, count)
        return found | {"rss_at_rest_mib": round(before / 1024, 1), "rss_at_rest_growth_kib": self.at_rest() - before}

    def swap_and_draw(self, connection: Connection, count: int) -> dict:
        self.done.clear()
        threads = [threading.Thread(target=self.draw) for _ in range(2)]
        for thread in threads:
            thread.start()
        started, found, pictures = time.perf_counter(), [], self.pictures
        try:
            found = self.latencies(connection, count)
        finally:
            self.done.set()
            for thread in threads:
                thread.join()
        return {
            "swaps": count, "seconds": round(time.perf_counter() - started, 1),
            "pictures": self.pictures - pictures, "failed_or_mixed": len(self.failures),
            "first_failures": self.failures[:3], **times(found),
        }


# Arguments: source, target, and the name that the target gets at the end, when it is written beside.
WRITER = """
import os, sys
content = open(sys.argv[1], "rb").read()
file = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
for start in range(0, len(content), 8):
    os.write(file, content[start:start + 8])
os.close(file)
if len(sys.argv) > 3:
    os.rename(sys.argv[2], sys.argv[3])
"""


def killed_writers(served: programs.Served, folder: pathlib.Path, rounds: int) -> dict:
    """Writers killed at random moments, in place and beside; what is in force must always be a whole content."""
    contents = [embedding("<killed>", 100 + seed, vectors=75) for seed in range(2)]
    sources = []
    for number, content in enumerate(contents):
        sources.append(folder.parent / f"source-{number}")
        sources[-1].write_bytes(content)
    target = folder / "killed.safetensors"
    connection = Connection(served.socket)
    place(contents[0], target)
    wait_in_force(connection, "<killed>", digest(contents[0]))
    known = {digest(content) for content in contents}
    halves = torn = 0
    for number in range(rounds):
        arguments = [sys.executable, "-S", "-c", WRITER, str(sources[number % 2]), str(target)]
        if number % 3 == 0:
            arguments[-1:] = [str(folder / ".killed-temporary"), str(target)]
        writer = subprocess.Popen(arguments)
        time.sleep(random.uniform(0.01, 0.08))
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        torn += target.read_bytes() not in contents
        for _ in range(5):
            status, reply = connection.ask("GET", "/v1/embeddings/%3Ckilled%3E")
            halves += status != 200 or reply["sha256"] not in known
    return {"rounds": rounds, "files_left_torn": torn, "half_read": halves}


def processor_seconds(served: programs.Served) -> float:
    """What the daemon has used of the processors: on a busy machine the better figure."""
    fields = pathlib.Path(f"/proc/{served.process.pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def many_files(setup: programs.Setup, folder: pathlib.Path, count: int) -> dict:
    """Starts with a folder of thousands, without and with an index, and a swap among them."""
    with programs.daemon(setup) as served:
        few = (served.seconds_to_ready, served.status_kib("VmRSS"), processor_seconds(served))
    for number in range(count):
        part = folder / f"{number // 1000}"
        part.mkdir(exist_ok=True)
        (part / f"word-{number}.safetensors").write_bytes(embedding(f"<word-{number}>", number, vectors=4))
    time.sleep(3)  # files younger than two seconds are not trusted
    result = {"files": count, "vectors_each": 4, "few_files_ready_s": round(few[0], 3),
              "few_files_processor_s": few[2]}
    for name in ("first", "again"):
        with programs.daemon(setup) as served:
            connection = Connection(served.socket)
            rss, seconds = served.status_kib("VmRSS"), processor_seconds(served)
            _, status = connection.ask("GET", "/v1/status")
            result |= {f"{name}_ready_s": round(served.seconds_to_ready, 3), f"{name}_rss_mib": round(rss / 1024, 1),
                       f"{name}_rss_over_few_mib": round((rss - few[1]) / 1024, 1),
                       f"{name}_processor_s": seconds, f"{name}_in_force": status["embeddings"]["in_force"]}
            if name == "again":
                swaps = Swaps(served, folder)
                swaps.learn_references(connection)
                result["swap_among_them"] = times(swaps.latencies(connection, 200))
                result["peak_rss_mib"] = round(served.status_kib("VmHWM") / 1024, 1)
    return result


def packed(folder: pathlib.Path, place: str) -> pathlib.Path:
    """The embedded model as the daemon serves it once installed."""
    command = [str(folder / "inversion"), "models", "import", str(TOP / "models" / "emoji-64"), "--name", "emoji-64"]
    subprocess.run([*command, "--models", place], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return pathlib.Path(place, "emoji-64")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--programs", type=pathlib.Path, default=TOP / ".build" / "release")
    parser.add_argument("--swaps", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--output", type=pathlib.Path, default=TOP / "Benchmarks" / "results" / "embeddings.json")
    flags = parser.parse_args()
    result: dict = {"processors": os.cpu_count()}
    with tempfile.TemporaryDirectory(prefix="inv-") as short:
        os.environ["CACHE_DIRECTORY"] = os.path.join(short, "cache")
        setup = programs.Setup(flags.programs, packed(flags.programs, short), TOP, "", short)
        folder = pathlib.Path(short, "embeddings")
        with programs.daemon(setup) as served:
            connection = Connection(served.socket)
            swaps = Swaps(served, folder)
            swaps.learn_references(connection)
            swaps.latencies(connection, flags.swaps // 10)
            before = served.status_kib("VmRSS")
            found = times(swaps.latencies(connection, flags.swaps))
            growth = served.status_kib("VmRSS") - before
            result["rename_to_usable"] = {"swaps": flags.swaps, **found, "rss_growth_kib": growth}
            result["under_load"] = swaps.under_load(connection, flags.swaps)
            result["killed_writers"] = killed_writers(served, folder, flags.kills)
        for file in folder.glob("*.safetensors"):
            file.unlink()
        result["many_files"] = many_files(setup, folder, flags.files)
    result["load_average"] = round(os.getloadavg()[0], 1)
    flags.output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))
    if result["under_load"]["failed_or_mixed"] or result["killed_writers"]["half_read"]:
        sys.exit("swaps: a request failed, or an answer was not what it says")


if __name__ == "__main__":
    main()
