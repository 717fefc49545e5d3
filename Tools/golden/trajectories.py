"""Twenty guided denoising steps of each sampler, with the latents after every step."""

from pathlib import Path

import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler, EulerDiscreteScheduler
from torch import Tensor

import tiny_tokenizer
from tiny_models import TinyModel

STEPS = 20
GUIDANCE_SCALE = 5.0
PROMPT = "a photo of a small red fox"
NEGATIVE_PROMPT = "a weird rendering"
SAMPLERS = {
    "ddim": DDIMScheduler,
    "euler": EulerDiscreteScheduler,
    "dpmpp_2m": DPMSolverMultistepScheduler,
}


@torch.no_grad()
def golden_trajectories(model: TinyModel, folder: Path) -> dict[str, Tensor]:
    """`folder` is the model's own: each sampler takes the scheduler_config.json that a user would have."""
    generator = torch.Generator().manual_seed(300 + model.recipe.seed)
    noise = torch.randn(1, 4, 8, 12, generator=generator)
    prompts = (NEGATIVE_PROMPT, PROMPT)
    ids = torch.tensor([tiny_tokenizer.encode(model.tokenizer, prompt) for prompt in prompts])
    tensors = {"noise": noise, "negative_input_ids": ids[:1], "input_ids": ids[1:]}
    for name, sampler in SAMPLERS.items():
        scheduler = sampler.from_pretrained(folder / "scheduler")
        exact = run(model.to(torch.float64), scheduler, ids, noise.double())[1]
        timesteps, latents = run(model.to(torch.float32), scheduler, ids, noise)
        error = (latents.double() - exact).norm() / exact.norm()
        assert error < 2e-5, f"{model.recipe.name} {name}: f32 is {error:.1e} off f64, no reference for 1e-3"
        tensors |= {f"{name}.timesteps": timesteps, f"{name}.latents": latents}
    return tensors


def run(model: TinyModel, scheduler, ids: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Timesteps (20) and the latents after each of them (20, 4, H, W)."""
    scheduler.set_timesteps(STEPS)
    context = model.text_encoder(ids).last_hidden_state
    latents = noise * scheduler.init_noise_sigma
    states = []
    for timestep in scheduler.timesteps:
        model_input = scheduler.scale_model_input(torch.cat([latents] * 2), timestep)
        negative, positive = model.unet(model_input, timestep, context).sample.chunk(2)
        prediction = negative + GUIDANCE_SCALE * (positive - negative)
        latents = scheduler.step(prediction, timestep, latents).prev_sample.to(noise.dtype)
        states.append(latents)
    return scheduler.timesteps.float(), torch.cat(states)
