"""The engines that are measured, and the command that measures each."""

import argparse
import dataclasses
import os
import pathlib

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parents[1]


class Missing(Exception):
    """An engine cannot be measured; the text says what is not there."""


def cache() -> pathlib.Path:
    """Where setup.sh put everything."""
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(os.environ.get("INVERSION_PEERS") or pathlib.Path(base) / "inversion-peers")


def existing(path: pathlib.Path, remedy: str) -> str:
    if not path.exists():
        raise Missing(f"'{path}' is missing; {remedy}")
    return str(path)


def set_up(name: str) -> str:
    return existing(cache() / name, "run Benchmarks/peers/setup.sh")


def folder(flags: argparse.Namespace) -> str:
    return existing(flags.model, "name a diffusers folder") if flags.model else set_up("sd15")


def sizes(flags: argparse.Namespace) -> list[str]:
    return ["--size", str(flags.size), "--runs", str(flags.runs), "--threads", str(flags.threads)]


@dataclasses.dataclass(frozen=True)
class Python:
    """A runner of this folder in one of the two Python environments."""

    task: str
    name: str
    script: str
    options: tuple[str, ...] = ()
    environment: str = "python"

    def command(self, flags: argparse.Namespace) -> list[str]:
        python = set_up(f"{self.environment}/bin/python")
        # An option that begins with @ names something that setup.sh made.
        options = [set_up(option[1:]) if option.startswith("@") else option for option in self.options]
        return [python, str(HERE / self.script), folder(flags), *options, *sizes(flags)]


@dataclasses.dataclass(frozen=True)
class Ours:
    """This project's engine."""

    task: str
    name: str
    options: tuple[str, ...] = ()

    def command(self, flags: argparse.Namespace) -> list[str]:
        program = TOP / ".build" / "release" / "EngineBenchmark"
        program = existing(program, "run 'Tools/swift.sh swift build -c release --product EngineBenchmark'")
        model = existing(flags.model, "name a model") if flags.model else set_up("models/sd15")
        return [program, model, *self.options, *sizes(flags), "--json"]


ENGINES = [
    Ours("picture", "inversion int8"),
    Python(
        "picture", "OpenVINO int8 + bf16", "openvino_runner.py", ("--converted", "@openvino", "--dtype", "bf16")),
    Python("picture", "OpenVINO int8 + f32", "openvino_runner.py", ("--converted", "@openvino", "--dtype", "f32")),
    Python("picture", "diffusers bf16", "diffusers_runner.py", ("--dtype", "bf16")),
    Python("picture", "diffusers f32", "diffusers_runner.py", ("--dtype", "f32")),
    Python(
        "picture", "stable-diffusion.cpp q8_0", "sdcpp_runner.py", ("--single-file", "@sd15.safetensors"), "sdcpp"),
    Python(
        "picture", "stable-diffusion.cpp q8_0, flash attention", "sdcpp_runner.py",
        ("--flash", "--single-file", "@sd15.safetensors"), "sdcpp"),
    Ours("training", "inversion int8", ("--training",)),
    Python("training", "diffusers bf16", "training_runner.py", ("--dtype", "bf16")),
    Python("training", "diffusers bf16, checkpointing", "training_runner.py", ("--dtype", "bf16", "--checkpointing")),
    Python("training", "diffusers f32", "training_runner.py", ("--dtype", "f32")),
]


def of_task(task: str, only: list[str] | None) -> list:
    """The engines of a task in the order in which they take turns, or those that were asked for."""
    found = [engine for engine in ENGINES if engine.task == task]
    names = [engine.name for engine in found]
    for name in only or ():
        if name not in names:
            raise SystemExit(f"peers: no engine '{name}'; there are: {', '.join(names)}")
    return [engine for engine in found if not only or engine.name in only]
