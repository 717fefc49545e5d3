"""Ten guided steps from a picture (img2img) and within a mask (inpainting) through diffusers' own pipelines, with the
latents after every step."""

from pathlib import Path

import torch
from diffusers import StableDiffusionImg2ImgPipeline, StableDiffusionInpaintPipeline
from PIL import Image
from torch import Tensor

import tiny_tokenizer
from tiny_models import TinyModel
from trajectories import GUIDANCE_SCALE, NEGATIVE_PROMPT, PROMPT, SAMPLERS

STEPS = 10
STRENGTH = 0.65
SIZE = (12, 8)  # of the latents: width, height


@torch.no_grad()
def golden_starts(model: TinyModel, folder: Path) -> dict[str, Tensor]:
    pipeline = StableDiffusionImg2ImgPipeline.from_pretrained(folder, torch_dtype=torch.float32)
    factor = pipeline.vae_scale_factor
    generator = torch.Generator().manual_seed(500 + model.recipe.seed)
    height, width = SIZE[1] * factor, SIZE[0] * factor
    pixels = torch.randint(0, 256, (height, width, 3), generator=generator, dtype=torch.uint8)
    mask = torch.zeros(height, width, dtype=torch.uint8)
    mask[factor : height - factor, 2 * factor : width - 4 * factor] = 255
    # The mean of the encoder's distribution, so that no draw but the noise's decides the result.
    picture = pipeline.image_processor.preprocess(Image.fromarray(pixels.numpy()))
    latents = pipeline.vae.encode(picture).latent_dist.mode() * pipeline.vae.config.scaling_factor
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(7))
    ids = torch.tensor([tiny_tokenizer.encode(model.tokenizer, prompt) for prompt in (NEGATIVE_PROMPT, PROMPT)])
    tensors = {"pixels": pixels, "mask": mask, "noise": noise, "negative_input_ids": ids[:1], "input_ids": ids[1:]}
    for name, sampler in SAMPLERS.items():
        scheduler = sampler.from_pretrained(folder / "scheduler")
        img2img = StableDiffusionImg2ImgPipeline(**{**pipeline.components, "scheduler": scheduler})
        tensors[f"{name}.img2img"] = run(img2img, latents, {})
        inpaint = StableDiffusionInpaintPipeline(**{**pipeline.components, "scheduler": scheduler})
        masked = {"mask_image": Image.fromarray(mask.numpy()), "masked_image_latents": latents}
        tensors[f"{name}.inpaint"] = run(inpaint, latents, masked | {"height": height, "width": width})
    return tensors


def run(pipeline, latents: Tensor, more: dict) -> Tensor:
    """The latents after each step (6, 4, H, W)."""
    states = []

    def keep(_, step, timestep, tensors):
        states.append(tensors["latents"].clone())
        return {}

    pipeline.set_progress_bar_config(disable=True)
    pipeline(
        PROMPT,
        image=latents,
        negative_prompt=NEGATIVE_PROMPT,
        strength=STRENGTH,
        num_inference_steps=STEPS,
        guidance_scale=GUIDANCE_SCALE,
        generator=torch.Generator().manual_seed(7),
        output_type="latent",
        callback_on_step_end=keep,
        **more,
    )
    return torch.cat(states)
