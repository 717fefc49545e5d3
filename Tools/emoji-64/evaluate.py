"""Measures an exported folder: backgrounds, recognisable glyphs, what a name is worth, VAE PSNR; writes picture sheets.

Everything is computed from the folder alone (loaded as a StableDiffusionPipeline) and the font.
"""
import argparse
import json

import numpy as np
import torch
from diffusers import StableDiffusionPipeline

import captions
import dataset
import unet as unet_module
import vae as vae_module

SHEET = [
    "a photo of a fox", "a photo of a fox on a red background", "a sketch of a fox", "fox",
    "a fox on a blue background",
    "a silhouette of a fox on a yellow background", "pixel art of a fox on a white background",
    "a photo of an apple on a white background", "a castle on a pink background",
    "a photo of a bus on a green background",
    "a sketch of a guitar on an orange background", "a penguin", "a photo of an animal on a white background",
    "a photo of a penguin on a purple background", "a rose on a black background", "a cropped photo of the rocket",
]


def load(folder):
    pipe = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None, torch_dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    pipe.unet.to(memory_format=torch.channels_last)
    return pipe


def generate(pipe, prompts, seeds, steps, guidance):
    """uint8 (N, 64, 64, 3)."""
    out = []
    for i in range(0, len(prompts), 32):
        generators = [torch.Generator().manual_seed(int(s)) for s in seeds[i:i + 32]]
        with torch.autocast("cpu", torch.bfloat16):
            pictures = pipe(prompts[i:i + 32], num_inference_steps=steps, guidance_scale=guidance,
                            generator=generators, output_type="np").images
        out.append((pictures * 255).round().astype(np.uint8))
    return np.concatenate(out)


def background_of(picture):
    """The named colour nearest to the median of the picture's rim (4 pixels)."""
    rim = np.concatenate([picture[:4].reshape(-1, 3), picture[-4:].reshape(-1, 3),
                          picture[4:-4, :4].reshape(-1, 3), picture[4:-4, -4:].reshape(-1, 3)])
    colour = np.median(rim.astype(np.float32), 0)
    return min(dataset.BACKGROUNDS, key=lambda n: np.square(colour - dataset.BACKGROUNDS[n]).sum())


class Nearest:
    """Nearest glyph in pixel space (32x32), over three scales and nine shifts of each glyph.

    References are drawn on the asked background, so that pixels of the background add nothing to any distance.
    """

    def __init__(self, glyphs):
        self.names = [g.name for g in glyphs]
        clear, paint = [], []
        for g in glyphs:
            for scale in (48, 54, 60):
                black, white = (dataset.place(g.image, n, "photo", Fixed(scale)).astype(np.float32)
                                for n in ("black", "white"))
                share = ((white - black) / (255 - 16)).clip(0, 1)
                for dy in (-2, 0, 2):
                    for dx in (-2, 0, 2):
                        clear.append(self._small(np.roll(share, (dy, dx), (0, 1))))
                        paint.append(self._small(np.roll(black - 16 * share, (dy, dx), (0, 1))))
        self.clear, self.paint = np.stack(clear), np.stack(paint)

    @staticmethod
    def _small(picture):
        return picture.reshape(32, 2, 32, 2, 3).mean((1, 3)).astype(np.float32)

    def __call__(self, picture, background):
        """Glyph names, nearest first."""
        small = self._small(picture.astype(np.float32))
        colour = np.asarray(dataset.BACKGROUNDS[background], np.float32)
        distance = np.square(self.paint + self.clear * colour - small).mean((1, 2, 3))
        best = distance.reshape(len(self.names), -1).min(1)
        return [self.names[i] for i in np.argsort(best)]


class Fixed:
    """Stands in for a random generator: a given scale, no shift."""

    def __init__(self, scale):
        self.scale = scale

    def uniform(self, low, high, size=None):
        return self.scale if size is None else np.zeros(size)


@torch.no_grad()
def hidden_states(pipe, texts):
    ids = pipe.tokenizer(texts, padding="max_length", max_length=77, truncation=True, return_tensors="pt").input_ids
    return pipe.text_encoder(ids)[0]


@torch.no_grad()
def denoising_loss(pipe, latents, hidden, noise, t):
    """Mean squared v error, one figure a row."""
    noisy, target = unet_module.noised(latents, noise, t, pipe.scheduler.alphas_cumprod)
    out = []
    for i in range(0, len(latents), 64):
        part = slice(i, i + 64)
        with torch.autocast("cpu", torch.bfloat16):
            out.append(pipe.unet(noisy[part], t[part], hidden[part]).sample.float() - target[part])
    return torch.cat(out).square().mean((1, 2, 3))


def name_gain(pipe, glyphs, rng, views=2):
    """How much lower the loss is with the glyph's own name than with another glyph's, t in 500...899, fresh views."""
    names = list(dataset.BACKGROUNDS)
    pictures, own, other = [], [], []
    for i, g in enumerate(glyphs):
        for _ in range(views):
            pictures.append(dataset.place(g.image, names[rng.integers(12)], "photo", rng))
            j = (i + 1 + rng.integers(len(glyphs) - 1)) % len(glyphs)
            own.append(captions.article(f"a photo of a {g.name}"))
            other.append(captions.article(f"a photo of a {glyphs[j].name}"))
    x = encode(pipe, np.stack(pictures))
    generator = torch.Generator().manual_seed(5)
    t = torch.randint(500, 900, (len(x),), generator=generator)
    noise = torch.randn(x.shape, generator=generator)
    losses = [denoising_loss(pipe, x, hidden_states(pipe, texts), noise, t) for texts in (own, other, [""] * len(x))]
    return losses[0], losses[1], losses[2]


@torch.no_grad()
def encode(pipe, pictures):
    out = []
    for i in range(0, len(pictures), 64):
        with torch.autocast("cpu", torch.bfloat16):
            out.append(pipe.vae.encode(vae_module.to_tensor(pictures[i:i + 64])).latent_dist.mean.float())
    return torch.cat(out) * pipe.vae.config.scaling_factor


def evaluate(args):
    pipe = load(args.model)
    taught, held_out, _ = dataset.load(args.font, args.names)
    rng, names = np.random.default_rng(11), list(dataset.BACKGROUNDS)
    result = {}
    fixed = vae_module.held_out_pictures(held_out)
    result["vae_psnr_db"] = round(vae_module.psnr(fixed, vae_module.reconstruct(pipe.vae, fixed)), 2)
    own, other, empty = name_gain(pipe, taught, rng, args.views)
    result["loss_own_name"], result["loss_other_name"] = round(own.mean().item(), 4), round(other.mean().item(), 4)
    result["loss_empty"] = round(empty.mean().item(), 4)
    result["own_beats_other_by"] = round(1 - own.mean().item() / other.mean().item(), 4)
    result["own_better_share"] = round((own < other).float().mean().item(), 4)
    count = args.pictures
    chosen = [taught[i] for i in rng.permutation(len(taught))[:count]]
    asked = [names[rng.integers(12)] for _ in chosen]
    prompts = [captions.article(f"a photo of a {g.name} on a {b} background") for g, b in zip(chosen, asked)]
    pictures = generate(pipe, prompts, range(1000, 1000 + count), args.steps, args.guidance)
    right = [background_of(p) == b for p, b in zip(pictures, asked)]
    nearest = Nearest(taught)
    ranks = [nearest(p, b).index(g.name) for p, g, b in zip(pictures, chosen, asked)]
    result["background_right"] = round(float(np.mean(right[:64])), 4)
    result["background_right_all"] = round(float(np.mean(right)), 4)
    result["nearest_is_asked"] = round(float(np.mean([r == 0 for r in ranks])), 4)
    result["nearest_in_first_5"] = round(float(np.mean([r < 5 for r in ranks])), 4)
    result["glyphs"], result["pictures"] = len(taught), count
    print(json.dumps(result, indent=1), flush=True)
    if args.sheet:
        more = generate(pipe, SHEET, range(len(SHEET)), args.steps, args.guidance)
        dataset.sheet(np.concatenate([more, pictures[:64]]), 16, args.sheet)
        print("sheet, first row:", SHEET)
        print("then:", prompts[:64])


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--model", required=True)
    p.add_argument("--sheet")
    p.add_argument("--steps", type=int, default=25)
    p.add_argument("--guidance", type=float, default=3.0)
    p.add_argument("--pictures", type=int, default=128)
    p.add_argument("--views", type=int, default=2)
    p.add_argument("--font", default=dataset.FONT)
    p.add_argument("--names", default=dataset.NAMES)
    evaluate(p.parse_args())


if __name__ == "__main__":
    main()
