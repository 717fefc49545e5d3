"""The training step of Textual Inversion as diffusers' script takes it, and its directional variant."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from diffusers import DDPMScheduler
from torch import Tensor

import tiny_models
import tiny_tokenizer
from tiny_models import TinyModel

PLACEHOLDER = "<concept>"
TEMPLATES = ["a photo of a {}", "a cropped photo of the {}", "a dark photo of the {}", "a rendition of a {}"]


@dataclass
class Batch:
    """Everything random of one step. `latents` are scaled as the U-Net sees them."""

    latents: Tensor  # (B, 4, H, W)
    noise: Tensor  # (B, 4, H, W)
    timesteps: Tensor  # (B)
    input_ids: Tensor  # (B, L)


def caption_ids(model: TinyModel, caption: str, vectors: int) -> list[int]:
    """Token ids of a caption; the placeholder's vectors have the ids after the vocabulary's last."""
    before, after = caption.split(PLACEHOLDER)
    size = tiny_tokenizer.vocabulary_size()
    words = [model.tokenizer(part, add_special_tokens=False).input_ids for part in (before, after)]
    ids = [model.tokenizer.bos_token_id, *words[0], *range(size, size + vectors), *words[1]]
    ids.append(model.tokenizer.eos_token_id)
    return ids + [model.tokenizer.pad_token_id] * (model.recipe.tokens - len(ids))


def draw_batch(model: TinyModel, size: int, vectors: int, generator: torch.Generator) -> Batch:
    indices = torch.randint(len(TEMPLATES), (size,), generator=generator)
    captions = [TEMPLATES[index].format(PLACEHOLDER) for index in indices]
    return Batch(
        latents=torch.randn(size, 4, 8, 8, generator=generator),
        noise=torch.randn(size, 4, 8, 8, generator=generator),
        timesteps=torch.randint(500, 900, (size,), generator=generator),
        input_ids=torch.tensor([caption_ids(model, caption, vectors) for caption in captions]),
    )


def append_rows(model: TinyModel, rows: Tensor) -> Tensor:
    """Puts the learned rows behind the token embedding table; the table's weight is then the leaf of the gradient."""
    embedding = model.text_encoder.get_input_embeddings()
    table = embedding.weight.data[: tiny_tokenizer.vocabulary_size()]
    embedding.weight = torch.nn.Parameter(torch.cat([table, rows.to(table.dtype)]))
    return embedding.weight


def noisy_and_target(model: TinyModel, batch: Batch) -> tuple[Tensor, Tensor]:
    scheduler = DDPMScheduler.from_config(tiny_models.scheduler(model.recipe).config)
    scheduler.alphas_cumprod = scheduler.alphas_cumprod.to(batch.latents.dtype)
    noisy = scheduler.add_noise(batch.latents, batch.noise, batch.timesteps)
    if model.recipe.prediction_type == "v_prediction":
        return noisy, scheduler.get_velocity(batch.latents, batch.noise, batch.timesteps)
    return noisy, batch.noise


def loss(model: TinyModel, batch: Batch) -> Tensor:
    noisy, target = noisy_and_target(model, batch)
    context = model.text_encoder(batch.input_ids).last_hidden_state
    prediction = model.unet(noisy, batch.timesteps, context).sample
    return F.mse_loss(prediction, target)
