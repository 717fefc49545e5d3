"""Three seeded Stable Diffusion models that are small enough to commit, in diffusers' folder layout."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

import tiny_tokenizer

TEXT_WIDTH = 16


@dataclass
class Recipe:
    """What makes a tiny model the twin of a real family."""

    name: str
    seed: int
    text: dict
    unet: dict
    vae: dict
    prediction_type: str = "epsilon"
    tokens: int = 77
    pad: str = tiny_tokenizer.END
    # transformers 5 saves `embeddings…` where the files of the hub have `text_model.embeddings…`.
    text_model_prefix: bool = False
    # Storage types other than f32, by network; the weights are rounded first, so that outputs stay exact.
    stored_as: dict = field(default_factory=dict)


@dataclass
class TinyModel:
    recipe: Recipe
    tokenizer: CLIPTokenizer
    text_encoder: CLIPTextModel
    unet: UNet2DConditionModel
    vae: AutoencoderKL

    def to(self, dtype: torch.dtype) -> "TinyModel":
        for network in (self.text_encoder, self.unet, self.vae):
            network.to(dtype)
        return self


RECIPES = [
    Recipe(
        name="sd1-tiny",
        seed=1,
        text={"num_hidden_layers": 3, "hidden_act": "quick_gelu"},
        unet={
            "block_out_channels": (8, 12, 16),
            "down_block_types": ("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
            "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
            "layers_per_block": 2,
            "attention_head_dim": 2,
        },
        vae={"block_out_channels": (8, 16), "layers_per_block": 2, "scaling_factor": 0.18215},
        text_model_prefix=True,
    ),
    Recipe(
        name="sd2-tiny",
        seed=2,
        text={"num_hidden_layers": 2, "hidden_act": "gelu"},
        unet={
            "block_out_channels": (8, 12, 16),
            "down_block_types": ("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
            "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
            "layers_per_block": 2,
            "attention_head_dim": (2, 3, 4),
            "use_linear_projection": True,
        },
        vae={"block_out_channels": (4, 8, 8), "layers_per_block": 1, "scaling_factor": 0.18215},
        prediction_type="v_prediction",
        pad="!",
    ),
    Recipe(
        name="distilled-tiny",
        seed=3,
        text={"num_hidden_layers": 2, "hidden_act": "quick_gelu"},
        unet={
            "block_out_channels": (8, 16, 24),
            "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            "mid_block_type": None,
            "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            "layers_per_block": 1,
            "attention_head_dim": 2,
        },
        vae={"block_out_channels": (8, 16), "layers_per_block": 1, "scaling_factor": 0.9},
        tokens=32,
        stored_as={"text_encoder": torch.float16, "unet": torch.float16, "vae": torch.bfloat16},
    ),
]


def randomize(network: nn.Module, generator: torch.Generator) -> None:
    """Weights that let a mistake anywhere show: no norm is the identity, no bias is zero, attention is not flat."""
    for path, parameter in network.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if parameter.dim() == 1:
            scaled = 1 + 0.2 * noise if path.endswith("weight") else 0.1 * noise
        elif "embedding.weight" in path:
            scaled = 0.1 * noise
        else:
            fan_in = parameter[0].numel()
            gain = 1.5 if any(name in path for name in ("to_q", "to_k", "q_proj", "k_proj")) else 0.8
            scaled = gain * noise / fan_in**0.5
        parameter.data.copy_(scaled)


def build(recipe: Recipe, folder: Path) -> TinyModel:
    """Makes the model and writes its folder."""
    tokenizer = tiny_tokenizer.write(folder / "tokenizer", recipe.tokens, recipe.pad)
    text_config = CLIPTextConfig(
        vocab_size=tiny_tokenizer.vocabulary_size(),
        hidden_size=TEXT_WIDTH,
        intermediate_size=4 * TEXT_WIDTH,
        num_attention_heads=2,
        max_position_embeddings=recipe.tokens,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **recipe.text,
    )
    blocks = len(recipe.vae["block_out_channels"])
    networks = {
        "text_encoder": CLIPTextModel(text_config),
        "unet": UNet2DConditionModel(
            sample_size=8, norm_num_groups=4, cross_attention_dim=TEXT_WIDTH, **recipe.unet
        ),
        "vae": AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * blocks,
            up_block_types=("UpDecoderBlock2D",) * blocks,
            latent_channels=4,
            norm_num_groups=4,
            sample_size=8 * 2 ** (blocks - 1),
            **recipe.vae,
        ),
    }
    generator = torch.Generator().manual_seed(recipe.seed)
    for name, network in networks.items():
        randomize(network, generator)
        network.requires_grad_(False).eval()
        if name in recipe.stored_as:
            network.to(recipe.stored_as[name])
        network.save_pretrained(folder / name)
        network.to(torch.float32)
    if recipe.text_model_prefix:
        add_text_model_prefix(folder / "text_encoder" / "model.safetensors")
    scheduler(recipe).save_pretrained(folder / "scheduler")
    write_model_index(folder)
    return TinyModel(recipe, tokenizer, **networks)


def scheduler(recipe: Recipe) -> DDIMScheduler:
    """The scheduler of SD 1.x and 2.x."""
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        steps_offset=1,
        set_alpha_to_one=False,
        clip_sample=False,
        prediction_type=recipe.prediction_type,
    )


def add_text_model_prefix(path: Path) -> None:
    tensors = load_file(path)
    save_file({f"text_model.{name}": tensor for name, tensor in tensors.items()}, path, {"format": "pt"})


def write_model_index(folder: Path) -> None:
    index = {
        "_class_name": "StableDiffusionPipeline",
        "feature_extractor": [None, None],
        "requires_safety_checker": False,
        "safety_checker": [None, None],
        "scheduler": ["diffusers", "DDIMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")
