"""Gradient of the Textual Inversion loss by the rows of the placeholder token, in f32 and in f64."""

import torch
import torch.nn.functional as F
from torch import Tensor

import textual_inversion as ti
from tiny_models import TEXT_WIDTH, TinyModel


def golden_gradient(model: TinyModel, vectors: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(200 + model.recipe.seed)
    rows = 0.1 * torch.randn(vectors, TEXT_WIDTH, generator=generator)
    batch = ti.draw_batch(model, 2, vectors, generator)
    noisy, target = ti.noisy_and_target(model, batch)
    tensors = {
        "rows": rows,
        "input_ids": batch.input_ids,
        "latents": batch.latents,
        "noise": batch.noise,
        "timesteps": batch.timesteps,
        "noisy_latents": noisy,
        "target": target,
    }
    for name, dtype in (("f64", torch.float64), ("f32", torch.float32)):
        model.to(dtype)
        weight = ti.append_rows(model, rows)
        context = model.text_encoder(batch.input_ids).last_hidden_state
        context.retain_grad()
        prediction = model.unet(noisy.to(dtype), batch.timesteps, context).sample
        loss = F.mse_loss(prediction, target.to(dtype))
        loss.backward()
        tensors |= {
            f"loss.{name}": loss.detach()[None],
            f"d_encoder_hidden_states.{name}": context.grad,
            f"d_rows.{name}": weight.grad[-vectors:],
        }
    check_f32(tensors)
    return tensors


def check_f32(tensors: dict[str, Tensor]) -> None:
    """A model whose own f32 is far from its f64 would make a useless reference."""
    cosine = F.cosine_similarity(tensors["d_rows.f32"].double().flatten(), tensors["d_rows.f64"].flatten(), dim=0)
    assert cosine > 0.99999999, f"f32 gradient is ill-conditioned: cosine {cosine}"
