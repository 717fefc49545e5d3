"""Stable Diffusion at its real size with random weights, for measuring speed and memory where no trained model is.

    random_model.py FOLDER [--family sd15|sd21] [--seed N]     a diffusers folder, f16 (2.1 GB, 2.6 GB)
    random_model.py FOLDER --single-file FILE                  also FILE: the same weights under the names of
                                                               latent-diffusion checkpoints (.safetensors, .ckpt)

Architecture and configs are those of the published models; nothing is downloaded. Weights are drawn from
N(0, 1/fan_in), biases from N(0, 0.02^2) and norms are the identity, so that every activation stays near 1. What int8
does to such weights says little about trained ones.
"""

import argparse
import json
import shutil
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.utils import logging
from safetensors.torch import save_file
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel

import checkpoint_names
import random_model_configs
import tiny_tokenizer

MERGES = Path(__file__).resolve().parents[2] / "Sources" / "CClipMerges" / "merges.txt"
BIAS_DEVIATION = 0.02
STORED_AS = torch.float16
FILES = {
    "text_encoder": "model.safetensors",
    "unet": "diffusion_pytorch_model.safetensors",
    "vae": "diffusion_pytorch_model.safetensors",
}


def networks(family: dict) -> dict[str, nn.Module]:
    """The three networks without memory for their weights: names, shapes and configs are all that is needed."""
    with torch.device("meta"):
        return {
            "text_encoder": CLIPTextModel(CLIPTextConfig(**family["text_encoder"])),
            "unet": UNet2DConditionModel(**family["unet"]),
            "vae": AutoencoderKL(**family["vae"]),
        }


def random_weights(network: nn.Module, generator: torch.Generator) -> dict[str, torch.Tensor]:
    """A tensor for every parameter, drawn in the order in which PyTorch lists them."""
    weights = {}
    for path, module in network.named_modules():
        is_norm = isinstance(module, (nn.GroupNorm, nn.LayerNorm))
        for name, parameter in module.named_parameters(prefix=path, recurse=False):
            if is_norm:
                tensor = torch.full(parameter.shape, 1.0 if name.endswith("weight") else 0.0)
            else:
                deviation = BIAS_DEVIATION if parameter.dim() == 1 else parameter[0].numel() ** -0.5
                tensor = deviation * torch.randn(parameter.shape, generator=generator)
            weights[name] = tensor.to(STORED_AS)
    return weights


def with_text_model_prefix(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The names of the published files, which newer versions of transformers shorten."""
    return {f"text_model.{name.removeprefix('text_model.')}": tensor for name, tensor in weights.items()}


def write_tokenizer(folder: Path, pad: str) -> None:
    """CLIP's own tokenizer, its vocabulary made from its merges."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = MERGES.read_text(encoding="utf-8").splitlines()[1:]
    tokens = tiny_tokenizer.vocabulary([tuple(line.split(" ")) for line in lines])
    ids = {token: index for index, token in enumerate(tokens)}
    (folder / "vocab.json").write_text(json.dumps(ids, ensure_ascii=False), encoding="utf-8")
    shutil.copyfile(MERGES, folder / "merges.txt")
    end = tiny_tokenizer.END
    special = {"bos_token": tiny_tokenizer.START, "eos_token": end, "unk_token": end, "pad_token": pad}
    write_json(folder / "special_tokens_map.json", special)
    config = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "add_prefix_space": False,
              "do_lower_case": True}
    write_json(folder / "tokenizer_config.json", config | special)


def write_json(path: Path, value: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def write_folder(folder: Path, family: dict, seed: int) -> dict[str, dict[str, torch.Tensor]]:
    """Writes the diffusers folder and returns the weights of its networks."""
    generator = torch.Generator().manual_seed(seed)
    written = {}
    for name, network in networks(family).items():
        weights = random_weights(network, generator)
        if name == "text_encoder":
            weights = with_text_model_prefix(weights)
            network.config.save_pretrained(folder / name)
        else:
            network.save_config(folder / name)
        save_file(weights, folder / name / FILES[name], {"format": "pt"})
        written[name] = weights
    write_json(folder / "scheduler" / "scheduler_config.json", family["scheduler"])
    write_json(folder / "model_index.json", random_model_configs.model_index(family))
    write_tokenizer(folder / "tokenizer", family["pad"])
    return written


def write_single_file(path: Path, weights: dict, family: dict, seed: int) -> None:
    named = checkpoint_names.checkpoint(weights, family["checkpoint"])
    if family["checkpoint"] == "sd2":
        named |= checkpoint_names.unused_tail(named, torch.Generator().manual_seed(seed + 1))
    if path.suffix == ".ckpt":
        torch.save({"state_dict": named, "global_step": 0}, path)
    else:
        save_file(named, path, {"format": "pt"})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--family", choices=sorted(random_model_configs.FAMILIES), default="sd15")
    parser.add_argument("--seed", type=int, default=15)
    parser.add_argument("--single-file", type=Path)
    flags = parser.parse_args()
    logging.set_verbosity_error()
    family = random_model_configs.FAMILIES[flags.family]
    weights = write_folder(flags.folder, family, flags.seed)
    if flags.single_file:
        write_single_file(flags.single_file, weights, family, flags.seed)


if __name__ == "__main__":
    main()
