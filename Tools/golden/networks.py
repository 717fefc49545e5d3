"""Outputs of every module of interest of the three networks, so that a test names the first wrong layer."""

import re
from contextlib import contextmanager

import torch
from diffusers import LatentConsistencyModelPipeline, UNet2DConditionModel
from torch import Tensor, nn

import tiny_tokenizer
from tiny_models import TinyModel

CAPTIONS = ["a photo of a cat", "a dark rendering of the small fox, close-up"]

# What a Swift network has under the same name and is worth its bytes. Inside a resnet or a feed-forward, the unit tests
# of the ops find the mistake.
INTERESTING = re.compile(
    r"(^|\.)(conv_in|conv_norm_out|time_proj|time_embedding|resnets\.\d+|conv_shortcut|time_emb_proj|attentions\.\d+"
    r"|transformer_blocks\.\d+|attn1|attn2|ff|(down|up)samplers\.\d+|post_quant_conv)$"
)


@contextmanager
def recorded_outputs(network: nn.Module, tensors: dict[str, Tensor], prefix: str):
    """Adds each interesting module's output to `tensors` under `prefix` and its diffusers path."""

    def hook(path: str):
        def save(_module, _inputs, output):
            first = output[0] if isinstance(output, tuple) else output
            first = getattr(first, "sample", first)
            tensors[f"{prefix}.{path}"] = first.detach().clone()

        return save

    hooks = [
        module.register_forward_hook(hook(path))
        for path, module in network.named_modules()
        if INTERESTING.search(path)
    ]
    try:
        yield
    finally:
        for handle in hooks:
            handle.remove()


@torch.no_grad()
def golden_outputs(model: TinyModel) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(100 + model.recipe.seed)
    tensors: dict[str, Tensor] = {}
    run_text_encoder(model, tensors)
    run_unet(model, tensors, generator)
    run_vae(model, tensors, generator)
    return tensors


def run_text_encoder(model: TinyModel, tensors: dict[str, Tensor]) -> None:
    ids = torch.tensor([tiny_tokenizer.encode(model.tokenizer, caption) for caption in CAPTIONS])
    output = model.text_encoder(ids, output_hidden_states=True)
    tensors["text_encoder.in.input_ids"] = ids
    for index, state in enumerate(output.hidden_states):
        tensors[f"text_encoder.hidden_states.{index}"] = state
    tensors["text_encoder.out"] = output.last_hidden_state
    # Clip skip 2 of A1111 (diffusers' `clip_skip=1`): the last layer but one, then the final norm.
    final_norm = dict(model.text_encoder.named_modules())
    norm = next(module for path, module in final_norm.items() if path.endswith("final_layer_norm"))
    tensors["text_encoder.clip_skip_2"] = norm(output.hidden_states[-2])


def run_unet(model: TinyModel, tensors: dict[str, Tensor], generator: torch.Generator) -> None:
    """Two pictures of 8 x 12 latents (never square, so that height and width cannot be mixed up), two timesteps."""
    latents = torch.randn(2, 4, 8, 12, generator=generator)
    timesteps = torch.tensor([981, 301])
    context = tensors["text_encoder.out"]
    with recorded_outputs(model.unet, tensors, "unet"):
        output = model.unet(latents, timesteps, context).sample
    tensors |= {"unet.in.latents": latents, "unet.in.timesteps": timesteps, "unet.in.encoder_hidden_states": context}
    tensors["unet.out"] = output


def run_vae(model: TinyModel, tensors: dict[str, Tensor], generator: torch.Generator) -> None:
    scale = 2 ** (len(model.recipe.vae["block_out_channels"]) - 1)
    pixels = torch.rand(1, 3, 4 * scale, 6 * scale, generator=generator) * 2 - 1
    with recorded_outputs(model.vae, tensors, "vae"):
        moments = model.vae._encode(pixels)
        latents = torch.randn(1, 4, 4, 6, generator=generator)
        decoded = model.vae.decode(latents).sample
    tensors |= {"vae.in.pixels": pixels, "vae.out.moments": moments, "vae.in.latents": latents}
    tensors["vae.out.pixels"] = decoded


@torch.no_grad()
def golden_guidance(model: TinyModel) -> dict[str, Tensor]:
    """The U-Net as one of a latent consistency model: the guidance scale is an input, beside the timestep."""
    unet = UNet2DConditionModel.from_config(model.unet.config, time_cond_proj_dim=8).eval()
    generator = torch.Generator().manual_seed(400 + model.recipe.seed)
    name = "time_embedding.cond_proj.weight"
    weight = torch.randn(unet.state_dict()[name].shape, generator=generator) * 0.3
    unet.load_state_dict(model.unet.state_dict() | {name: weight})
    tensors = golden_outputs(model)
    scales = torch.full((2,), 8.5 - 1)
    condition = LatentConsistencyModelPipeline.get_guidance_scale_embedding(None, scales, embedding_dim=8)
    latents, timesteps = tensors["unet.in.latents"], tensors["unet.in.timesteps"]
    context = tensors["unet.in.encoder_hidden_states"]
    output = unet(latents, timesteps, context, timestep_cond=condition).sample
    assert (output - tensors["unet.out"]).norm() > 1e-2 * output.norm(), "the guidance scale must matter"
    return {name: weight, "unet.out": output}
