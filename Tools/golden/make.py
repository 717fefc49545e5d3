"""Writes the golden data of the tests: `python Tools/golden/make.py --output Tests`. See README.md."""

import argparse
import shutil
from pathlib import Path

import diffusers
import torch
import transformers
from safetensors.torch import save_file

import gradients
import networks
import schedules
import starting_pictures
import tiny_models
import training_losses
import trajectories

LIMIT = 5 << 20  # bytes of all golden data together


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="the Tests folder")
    output = parser.parse_args().output
    torch.use_deterministic_algorithms(True)
    diffusers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    models = output / "ModelsTests" / "Golden"
    for recipe in tiny_models.RECIPES:
        shutil.rmtree(models / recipe.name, ignore_errors=True)
        model = tiny_models.build(recipe, models / recipe.name)
        save(networks.golden_outputs(model), models / recipe.name / "golden.safetensors")
        if recipe.name == "sd1-tiny":
            save(networks.golden_guidance(model), models / recipe.name / "guidance.safetensors")
        latents = trajectories.golden_trajectories(model, models / recipe.name)
        save(latents, output / "GenerationTests" / "Golden" / f"{recipe.name}.safetensors")
        starts = starting_pictures.golden_starts(model, models / recipe.name)
        save(starts, output / "GenerationTests" / "Golden" / f"{recipe.name}-starts.safetensors")
        vectors = 2 if recipe.name == "sd2-tiny" else 1
        save(gradients.golden_gradient(model, vectors), models / recipe.name / "gradient.safetensors")
        for case in training_losses.CASES:
            if case.model == recipe.name:
                path = output / "TrainingTests" / "Golden" / f"{case.name}.safetensors"
                save(training_losses.golden_losses(model, case), path, case.metadata())
    schedules.write(output / "SchedulesTests" / "Golden" / "schedules.json")
    schedules.write_torch_noise(output / "SchedulesTests" / "Golden" / "torch-noise.json")
    check_size(output)


def save(tensors: dict[str, torch.Tensor], path: Path, metadata: dict[str, str] | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous().clone() for name, tensor in tensors.items()}, path, metadata)
    print(f"{path}: {len(tensors)} tensors, {path.stat().st_size >> 10} KB")


def check_size(output: Path) -> None:
    total = sum(path.stat().st_size for path in output.glob("*/Golden/**/*") if path.is_file())
    print(f"golden data: {total >> 10} KB")
    assert total < LIMIT, "golden data has outgrown its limit"


if __name__ == "__main__":
    main()
