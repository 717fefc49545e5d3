"""Writes the diffusers folder: f16 safetensors, configs and tokenizer, as Stable Diffusion 1.x folders have them."""
import argparse
import json
import os
import shutil
from pathlib import Path

import torch
from diffusers import DDIMScheduler
from safetensors.torch import save_file

import captions
import common
import text
import unet as unet_module
import vae as vae_module

INDEX = dict(
    _class_name="StableDiffusionPipeline", _diffusers_version="0.30.0", feature_extractor=[None, None],
    image_encoder=[None, None], requires_safety_checker=False, safety_checker=[None, None],
    scheduler=["diffusers", "DDIMScheduler"], text_encoder=["transformers", "CLIPTextModel"],
    tokenizer=["transformers", "CLIPTokenizer"], unet=["diffusers", "UNet2DConditionModel"],
    vae=["diffusers", "AutoencoderKL"])


def half(state):
    return {k: v.detach().half().contiguous() for k, v in state.items()}


def text_weights(encoder):
    """The names of Stable Diffusion's text encoder files; newer transformers drop the prefix in memory."""
    return {k if k.startswith("text_model.") else "text_model." + k: v
            for k, v in encoder.state_dict().items() if not k.endswith("position_ids")}


def write(folder, vae, unet, encoder, scale):
    """Writes beside `folder`, then renames: a reader sees the old folder or the new one."""
    folder = Path(folder)
    beside = folder.with_name(folder.name + ".new")
    shutil.rmtree(beside, ignore_errors=True)
    for part in ("vae", "unet", "text_encoder", "scheduler"):
        (beside / part).mkdir(parents=True)
    captions.write_tokenizer(beside / "tokenizer")
    vae.register_to_config(scaling_factor=scale)
    vae.save_config(beside / "vae")
    unet.save_config(beside / "unet")
    encoder.config.architectures = ["CLIPTextModel"]
    encoder.config.save_pretrained(beside / "text_encoder")
    config = beside / "text_encoder" / "config.json"
    # Without it newer transformers would load f16 weights as f16 beside diffusers' f32 networks.
    config.write_text(json.dumps(json.loads(config.read_text()) | {"torch_dtype": "float32"}, indent=2) + "\n")
    DDIMScheduler(**unet_module.SCHEDULER).save_pretrained(beside / "scheduler")
    for part, state, name in (("vae", vae.state_dict(), "diffusion_pytorch_model"),
                              ("unet", unet.state_dict(), "diffusion_pytorch_model"),
                              ("text_encoder", text_weights(encoder), "model")):
        path = beside / part / (name + ".safetensors")
        save_file(half(state), path, metadata={"format": "pt"})
        path.chmod(0o644)
    (beside / "model_index.json").write_text(json.dumps(INDEX, indent=2) + "\n")
    if folder.exists():
        old = folder.with_name(folder.name + ".old")
        shutil.rmtree(old, ignore_errors=True)
        os.rename(folder, old)
        os.rename(beside, folder)
        shutil.rmtree(old)
    else:
        os.rename(beside, folder)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--vae")
    p.add_argument("--unet", help="left out with --vae: an untrained model of the right shapes")
    p.add_argument("--tokenizer", required=True)
    p.add_argument("--out", required=True)
    args = p.parse_args()
    torch.manual_seed(0)
    vae, unet, encoder, scale = vae_module.build(), unet_module.build(), None, 1.0
    encoder = text.build(captions.tokenizer(args.tokenizer))
    if args.vae:
        vae.load_state_dict(common.load(args.vae)["average"])
    if args.unet:
        state = common.load(args.unet)
        unet.load_state_dict(state["average"])
        start = "encoder."
        encoder.load_state_dict({k[len(start):]: v for k, v in state["average_words"].items() if k.startswith(start)})
        scale = state["scale"]
    write(args.out, vae, unet, encoder, scale)
    total = sum(f.stat().st_size for f in Path(args.out).rglob("*") if f.is_file())
    print(f"{args.out}: {total / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
