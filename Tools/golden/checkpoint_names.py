"""The tensors of a single-file checkpoint (CompVis latent-diffusion, OpenCLIP) from the weights of a diffusers folder,
by the name tables that the Swift tests use too."""

from collections.abc import Iterator
from pathlib import Path

import torch

TABLES = Path(__file__).resolve().parents[2] / "Tests" / "ModelsTests" / "Golden" / "checkpoint-names"
OPEN_CLIP = "cond_stage_model.model"
# OpenCLIP starts with the logit scale 1 / 0.07, trained up to 100: e^4.6052.
LOGIT_SCALE = 4.6052


def rows(family: str) -> Iterator[tuple[str, str, str, int | None]]:
    """Yields network, diffusers' path, the checkpoint's name, and which third of that tensor it is where three are
    stacked."""
    lines = (TABLES / f"{family}.tsv").read_text(encoding="utf-8").splitlines()
    if family == "sd2":
        # The VAE is the same in both families; its names stand in the first one's table only.
        first = (TABLES / "sd1.tsv").read_text(encoding="utf-8").splitlines()
        lines += [line for line in first if line.startswith("vae")]
    for line in lines:
        network, path, name, *third = line.split("\t")
        yield network, path, name, int(third[0]) if third and third[0] else None


def original_shape(name: str, tensor: torch.Tensor) -> torch.Tensor:
    """The original's VAE attention projects by 1x1 convolutions."""
    return tensor[:, :, None, None] if ".mid.attn_1." in name and tensor.dim() == 2 else tensor


def checkpoint(weights: dict[str, dict[str, torch.Tensor]], family: str) -> dict[str, torch.Tensor]:
    """All tensors of `weights[network][path]` under the names of the single file; `family` is `sd1` or `sd2`."""
    named, stacked = {}, {}
    for network, path, name, third in rows(family):
        tensor = original_shape(name, weights[network][path])
        if third is None:
            named[name] = tensor.contiguous()
        else:
            stacked.setdefault(name, {})[third] = tensor
    return named | {name: torch.cat([thirds[third] for third in range(3)]) for name, thirds in stacked.items()}


def unused_tail(named: dict[str, torch.Tensor], generator: torch.Generator) -> dict[str, torch.Tensor]:
    """OpenCLIP's last layer, its projection and its scale, which the files of 2.x carry and no one runs."""
    blocks = f"{OPEN_CLIP}.transformer.resblocks."
    last = max(int(name.removeprefix(blocks).split(".")[0]) for name in named if name.startswith(blocks))
    tail = {
        name.replace(f"{blocks}{last}.", f"{blocks}{last + 1}."): tensor.clone()
        for name, tensor in named.items() if name.startswith(f"{blocks}{last}.")}
    norm = named[f"{OPEN_CLIP}.ln_final.weight"]
    width = norm.numel()
    projection = width**-0.5 * torch.randn((width, width), generator=generator)
    tail[f"{OPEN_CLIP}.text_projection"] = projection.to(norm.dtype)
    tail[f"{OPEN_CLIP}.logit_scale"] = torch.tensor(LOGIT_SCALE, dtype=norm.dtype)
    return tail
