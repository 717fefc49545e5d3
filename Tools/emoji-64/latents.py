"""Encodes views of the taught and of the anonymous glyphs once; the U-Net trains on this cache."""
import argparse
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

import common
import dataset
import text
import vae as vae_module


@torch.no_grad()
def encode(vae, pictures):
    with common.autocast():
        return vae.encode(vae_module.to_tensor(pictures)).latent_dist.mean.float().cpu()


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--vae", help="checkpoint of vae.py")
    p.add_argument("--vae-folder", help="or an exported folder")
    p.add_argument("--out", required=True)
    p.add_argument("--taught", type=int, default=64, help="views a taught glyph")
    p.add_argument("--anonymous", type=int, default=6, help="views a glyph without a name")
    p.add_argument("--seed", type=int, default=3)
    p.add_argument("--font", default=dataset.FONT)
    p.add_argument("--names", default=dataset.NAMES)
    args = p.parse_args()
    taught, _, other = dataset.load(args.font, args.names)
    glyphs = taught + [g for g in other if g.category in text.OBJECTS]
    vae = vae_module.build()
    vae.load_state_dict(common.load(args.vae)["average"] if args.vae else load_file(
        Path(args.vae_folder) / "vae" / "diffusion_pytorch_model.safetensors"))
    rng = np.random.default_rng(args.seed)
    names = list(dataset.BACKGROUNDS)
    views = [i for i in range(len(glyphs)) for _ in range(args.taught if i < len(taught) else args.anonymous)]
    views = rng.permutation(views)               # so that a part of the cache is already a fair sample
    rows = np.zeros((len(views), 3), np.int64)
    out = torch.zeros(len(views), 4, 16, 16, dtype=torch.float16)
    scale = None
    for start in range(0, len(views), 64):
        pictures = []
        for i in range(start, min(start + 64, len(views))):
            background, style = rng.integers(12), rng.choice(4, p=dataset.STYLE_SHARE)
            rows[i] = views[i], background, style
            pictures.append(dataset.place(glyphs[views[i]].image, names[background], dataset.STYLES[style], rng))
        out[start:start + 64] = encode(vae, np.stack(pictures)).half()
        done = start + len(pictures)
        if start % 1024 == 960 or done == len(views):
            scale = scale or 1 / out[:done].float().std().item()
            common.save(dict(latents=out[:done].clone(), rows=torch.from_numpy(rows[:done]).clone(), scale=scale,
                             taught=len(taught)), args.out)
            print(f"{done} of {len(views)} views, scaling factor {scale:.5f}", flush=True)


if __name__ == "__main__":
    main()
