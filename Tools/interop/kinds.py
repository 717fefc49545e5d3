"""Every kind of embedding file, both ways: files that `inversion embeddings convert` writes are loaded by torch,
safetensors, Pillow and diffusers, and files that torch and safetensors write are read by `inversion`; the values are
compared bit for bit."""

import base64
import io
import json
import subprocess
import zlib
from pathlib import Path

import numpy
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

KINDS = {"diffusers": "safetensors", "a1111": "pt", "card": "png", "kohya": "safetensors"}


def run(program: str, *arguments: str | Path) -> str:
    command = [program, "embeddings", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def equal(a: torch.Tensor, b: torch.Tensor) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.numpy().tobytes() == b.numpy().tobytes()


def check_written(program: str, folder: Path, token: str, tensor: torch.Tensor, load) -> None:
    """`load(path, **flags)` loads a file with diffusers and gives the rows that it added to the table."""
    source = folder / "source.safetensors"
    save_file({token: tensor}, source)
    for kind, ending in KINDS.items():
        path = folder / f"written-{kind}.{ending}"
        run(program, "convert", source, path, "--to", kind)
        if kind == "diffusers":
            assert equal(load_file(path)[token], tensor) and equal(load(path), tensor), kind
        elif kind == "kohya":
            assert equal(load_file(path)["emb_params"], tensor) and equal(load(path, token=token), tensor), kind
        elif kind == "a1111":
            content = torch.load(path, weights_only=True)
            assert content["name"] == token and equal(content["string_to_param"]["*"], tensor), kind
            assert equal(load(path), tensor), kind
        else:
            assert equal(from_card_text(path), tensor) and equal(from_card_pixels(path), tensor), kind
        print(f"interop: {kind} written, loaded by the libraries that read it")


def tensor_of(card: dict) -> torch.Tensor:
    return torch.tensor(card["string_to_param"]["*"]["TORCHTENSOR"], dtype=torch.float32)


def from_card_text(path: Path) -> torch.Tensor:
    with Image.open(path) as picture:
        return tensor_of(json.loads(base64.b64decode(picture.text["sd-ti-embedding"])))


def from_card_pixels(path: Path) -> torch.Tensor:
    """As AUTOMATIC1111's image_embedding.py reads it."""
    with Image.open(path) as picture:
        pixels = numpy.array(picture.convert("RGB"))
    mask = (pixels > 0).all(2)
    columns, rows = mask.any(0), mask.any(1)
    left, right = columns.argmax(), mask.shape[1] - columns[::-1].argmax()
    top, bottom = rows.argmax(), mask.shape[0] - rows[::-1].argmax()
    nibbles = pixels[top:bottom, left:right] & 0x0F
    black = numpy.where(nibbles.sum(axis=(0, 2)) == 0)[0]
    blocks = []
    for block in (nibbles[:, :black.min()], nibbles[:, black.max() + 1:]):
        state, noise = 0, []
        for _ in range(block.size):
            state = (1664525 * state + 1013904223) % 2**32
            noise.append(state % 255)
        blocks.append(block ^ (numpy.array(noise, dtype=numpy.uint8).reshape(block.shape) & 0x0F))
    return tensor_of(json.loads(zlib.decompressobj().decompress((blocks[1] << 4 | blocks[0]).tobytes())))


def check_read(program: str, folder: Path, tensor: torch.Tensor) -> None:
    """What the libraries write, read by the program and given back as safetensors."""
    gradient = tensor.clone().requires_grad_(True)
    a1111 = {"string_to_token": {"*": 265}, "name": "inner", "step": 7, "sd_checkpoint": None}
    parameters = torch.nn.ParameterDict({"*": torch.nn.Parameter(tensor)})
    objects = {
        "learned_embeds.bin": {"<tok>": tensor},
        "a1111.pt": a1111 | {"string_to_param": {"*": gradient}},
        "paper.pt": {"string_to_token": {"*": torch.tensor(265)}, "string_to_param": parameters},
        "kohya.pt": {"emb_params": tensor.clone()},
        "sdxl.pt": {"clip_l": tensor, "clip_g": torch.zeros(tensor.shape[0], 1280)},
    }
    for name, content in objects.items():
        for zipped in (True, False):
            buffer = io.BytesIO()
            torch.save(content, buffer, _use_new_zipfile_serialization=zipped)
            path, back = folder / name, folder / "back.safetensors"
            path.write_bytes(buffer.getvalue())
            run(program, "convert", path, back, "--name", "<back>")
            assert equal(load_file(back)["<back>"], tensor), f"{name}, zip {zipped}"
        print(f"interop: {name} of torch {torch.__version__}, read bit for bit")


def check(program: str, folder: Path, width: int, load) -> None:
    generator = torch.Generator().manual_seed(7)
    tensor = torch.randn(2, width, generator=generator) * 0.3
    check_written(program, folder, "<my-kind>", tensor, load)
    check_read(program, folder, tensor)
