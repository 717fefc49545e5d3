"""Learned words in the real diffusers: `check.py PROGRAM` trains with PROGRAM on the tiny golden models, loads the
files with `load_textual_inversion` as they are, and sees that diffusers draws with exactly these vectors."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import diffusers
import kinds
import torch
import transformers
from diffusers import StableDiffusionPipeline
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file

MODELS = Path(__file__).resolve().parents[2] / "Tests" / "ModelsTests" / "Golden"
TOKEN = "<my-spot>"
WIDTH = 16  # of the tiny models' token embeddings


def main() -> None:
    program = sys.argv[1]
    diffusers.utils.logging.set_verbosity_error()
    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as folder:
        pictures = write_pictures(Path(folder) / "pictures")
        for model in ("sd1-tiny", "sd2-tiny"):
            for method in ("dti", "ti"):
                for vectors in (1, 3):
                    path = Path(folder) / f"{model}-{method}-{vectors}.safetensors"
                    train(program, pictures, path, model, method, vectors)
                    check_file(path, vectors)
                    check_pipeline(path, model, vectors)
                    print(f"interop: diffusers {diffusers.__version__} draws with {model}, {method}, vectors {vectors}")
        kinds.check(program, Path(folder), WIDTH, load_with_diffusers)


def write_pictures(folder: Path) -> Path:
    folder.mkdir()
    for number in range(3):
        picture = Image.new("RGB", (40, 32), (90, 140, 30 * number))
        picture.paste((240, 30, 20), (8 + 3 * number, 6, 20 + 3 * number, 18))
        picture.save(folder / f"{number}.png")
    return folder


def train(program: str, pictures: Path, output: Path, model: str, method: str, vectors: int) -> None:
    flags = {"images": pictures, "token": TOKEN, "init-word": "toy", "steps": 6, "output": output}
    flags |= {"model": MODELS / model, "method": method, "vectors": vectors}
    command = [program, "train", *(part for name, value in flags.items() for part in (f"--{name}", str(value)))]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def check_file(path: Path, vectors: int) -> None:
    with safe_open(path, "pt") as file:
        assert list(file.keys()) == [TOKEN], f"{path}: keys {list(file.keys())}"
        tensor = file.get_tensor(TOKEN)
        metadata = file.metadata()
    assert tensor.dtype == torch.float32 and tensor.shape == (vectors, WIDTH), f"{path}: {tensor.dtype} {tensor.shape}"
    assert metadata["initializer"] == "toy" and len(metadata["pictures_sha256"].split()) == 3, json.dumps(metadata)


@torch.no_grad()
def load_with_diffusers(path: Path, **flags) -> torch.Tensor:
    """The rows that diffusers adds to the tiny model's table for a file."""
    pipeline = StableDiffusionPipeline.from_pretrained(MODELS / "sd1-tiny")
    before = len(pipeline.text_encoder.get_input_embeddings().weight)
    pipeline.load_textual_inversion(path, **flags)
    return pipeline.text_encoder.get_input_embeddings().weight[before:].detach().clone()


@torch.no_grad()
def check_pipeline(path: Path, model: str, vectors: int) -> None:
    pipeline = StableDiffusionPipeline.from_pretrained(MODELS / model)
    pipeline.set_progress_bar_config(disable=True)
    before = pipeline.text_encoder.get_input_embeddings().weight.clone()
    pipeline.load_textual_inversion(path)
    table = pipeline.text_encoder.get_input_embeddings().weight
    expected = load_file(path)[TOKEN]
    assert torch.equal(table[: len(before)], before), "the vocabulary has changed"
    assert torch.equal(table[len(before) :], expected), "the vectors are not those of the file"
    prompt = pipeline.maybe_convert_prompt(f"a photo of a {TOKEN}", pipeline.tokenizer)
    ids = pipeline.tokenizer(prompt).input_ids
    assert ids[5:-1] == list(range(len(before), len(before) + vectors)), f"'{prompt}' has the ids {ids}"
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    drawn = [
        pipeline(text, num_inference_steps=3, guidance_scale=4.0, latents=latents, output_type="np").images
        for text in (f"a photo of a {TOKEN}", "a photo of a toy")
    ]
    assert torch.from_numpy(drawn[0]).isfinite().all() and (drawn[0] != drawn[1]).any(), "the word draws nothing"


if __name__ == "__main__":
    main()
