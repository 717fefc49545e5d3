"""What the runners share: times, memory, and the one line of JSON that each prints."""

import argparse
import json
import pathlib
import threading
import time

SAMPLE_SECONDS = 0.02
GUIDED = 2  # a picture's prompt and its negative prompt
DOWNSAMPLING = 8  # pixels to latents


def arguments(description: str, *more) -> argparse.Namespace:
    """The flags of every runner; `more` holds pairs of a flag's name and its options."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("model", type=pathlib.Path, help="a diffusers folder")
    parser.add_argument("--size", type=int, default=512, help="pixels of a side")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    for flag, options in more:
        parser.add_argument(flag, **options)
    return parser.parse_args()


def seconds(body, runs: int) -> list[float]:
    """The times of `runs` calls, after one that is left out."""
    body()
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        body()
        times.append(round(time.perf_counter() - started, 4))
    return times


def status_mb(field: str, process: int | str = "self", missing: int | None = None) -> int:
    """A field of /proc/PID/status that is counted in KiB, in MB (10^6 bytes); `missing` for a process without memory,
    which is one that has ended."""
    for line in pathlib.Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{field}:"):
            return round(int(line.split()[1]) * 1024 / 1e6)
    if missing is None:
        raise KeyError(field)
    return missing


class Memory:
    """Peaks of the resident set and of its anonymous part from the moment of entering: what loading needed once is left
    out, to the peers' advantage. Anonymous memory has no peak in the kernel and is sampled."""

    def __enter__(self) -> "Memory":
        pathlib.Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # resets VmHWM
        self.anonymous_mb = status_mb("RssAnon")
        self._ended = threading.Event()
        self._sampler = threading.Thread(target=self._sample, daemon=True)
        self._sampler.start()
        return self

    def _sample(self) -> None:
        while not self._ended.wait(SAMPLE_SECONDS):
            self.anonymous_mb = max(self.anonymous_mb, status_mb("RssAnon"))

    def __exit__(self, *_) -> None:
        self._ended.set()
        self._sampler.join()
        self.peak_mb = status_mb("VmHWM")

    def row(self) -> dict:
        return {"peak_mb": self.peak_mb, "anonymous_mb": self.anonymous_mb}


def report(row: dict) -> None:
    """The runner's last line of output."""
    print(json.dumps(row), flush=True)
