"""Trains the AutoencoderKL of emoji-64 (64x64x3 <-> 16x16x4) on every glyph that is not held out."""
import argparse

import numpy as np
import torch
from diffusers import AutoencoderKL

import common
import dataset

CONFIG = dict(in_channels=3, out_channels=3, down_block_types=["DownEncoderBlock2D"] * 3,
              up_block_types=["UpDecoderBlock2D"] * 3, block_out_channels=[32, 64, 96], layers_per_block=1,
              latent_channels=4, norm_num_groups=16, sample_size=64)


def build():
    return AutoencoderKL(**CONFIG).to(common.device(), memory_format=torch.channels_last)


def to_tensor(pictures):
    """uint8 (N, 64, 64, 3) -> float (N, 3, 64, 64) in -1...1."""
    x = torch.from_numpy(np.asarray(pictures)).to(common.device()).permute(0, 3, 1, 2)
    return x.float().div(127.5).sub(1).contiguous(memory_format=torch.channels_last)


def to_pictures(x):
    return (x.float().clamp(-1, 1) + 1).mul(127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy()


def batch(taught, other, size, rng):
    """Half taught glyphs, half others: what the U-Net will need, and variety for the held-out ones."""
    names = list(dataset.BACKGROUNDS)
    out = []
    for i in range(size):
        pool = taught if i % 2 else other
        style = rng.choice(dataset.STYLES, p=dataset.STYLE_SHARE)
        out.append(dataset.place(pool[rng.integers(len(pool))].image, names[rng.integers(12)], style, rng))
    return to_tensor(np.stack(out))


def held_out_pictures(held_out):
    """Three fixed views of each held-out glyph, as photos, the pictures behind the PSNR figure."""
    rng = np.random.default_rng(7)
    names = list(dataset.BACKGROUNDS)
    return np.stack([dataset.place(g.image, names[rng.integers(12)], "photo", rng) for g in held_out for _ in range(3)])


@torch.no_grad()
def reconstruct(vae, pictures):
    out = []
    for i in range(0, len(pictures), 32):
        with common.autocast():
            out.append(to_pictures(vae.decode(vae.encode(to_tensor(pictures[i:i + 32])).latent_dist.mean).sample))
    return np.concatenate(out)


def psnr(a, b):
    """Mean over the pictures of each picture's PSNR in dB."""
    error = ((a.astype(np.float64) - b) ** 2).mean((1, 2, 3))
    return float((10 * np.log10(255 ** 2 / error.clip(1e-6))).mean())


def loss_of(vae, x, kl_weight):
    with common.autocast():
        posterior = vae.encode(x).latent_dist
        y = vae.decode(posterior.sample()).sample
    error = y.float() - x
    loss = error.abs().mean() + 2 * error.square().mean()
    kl = posterior.kl().mean() / (4 * 16 * 16)
    return loss + kl_weight * kl, error.square().mean()


def parameters(vae, decoder_only):
    if not decoder_only:
        return list(vae.named_parameters())
    vae.requires_grad_(False)
    vae.decoder.requires_grad_(True)
    vae.post_quant_conv.requires_grad_(True)
    return [(n, p) for n, p in vae.named_parameters() if p.requires_grad]


def train(args):
    torch.manual_seed(1)
    taught, held_out, other = dataset.load(args.font, args.names)
    vae, rng = build(), np.random.default_rng()
    state = common.load(args.checkpoint) or {}
    start = common.load(args.start) if args.start else None
    if start and not state:
        vae.load_state_dict(start["average"])
    named = parameters(vae, args.decoder_only)
    if state:
        vae.load_state_dict(state["model"])
    average = common.Average((p for _, p in named), 0.998)
    optimizers = common.Optimizers(named, args.muon, args.adam, ("conv_in", "conv_out", "quant_conv"))
    if state:
        optimizers.load_state_dict(state["optimizer"])
        average.shadow, average.steps = state["shadow"], state["step"]
    step, clock, saved = state.get("step", 0), common.Clock(state.get("minutes", 0)), 0
    fixed = held_out_pictures(held_out)
    mean = 0
    while clock.minutes() < args.minutes:
        loss, mse = loss_of(vae, batch(taught, other, args.batch, rng), args.kl)
        loss.backward()
        optimizers.step(clock.minutes() / args.minutes)
        average.update()
        step += 1
        mean += (mse.item() - mean) * 0.02
        if clock.minutes() - saved > args.every or clock.minutes() >= args.minutes:
            saved = clock.minutes()
            average.swap()
            out = reconstruct(vae, fixed)
            weights = {k: v.clone() for k, v in vae.state_dict().items()}
            average.swap()
            common.save(dict(model=vae.state_dict(), average=weights, shadow=average.shadow, step=step,
                             optimizer=optimizers.state_dict(), minutes=clock.minutes()), args.checkpoint)
            print(f"{clock.minutes():6.1f} min step {step} {step * args.batch} pictures, batch PSNR "
                  f"{10 * np.log10(4 / mean):.2f}, held-out PSNR {psnr(fixed, out):.2f} dB", flush=True)
            dataset.sheet(np.concatenate([fixed[:24], out[:24]]), 24, args.checkpoint + ".png")


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--checkpoint", required=True, help="written every few minutes; an existing one is resumed")
    p.add_argument("--start", help="checkpoint whose averaged weights to start from")
    p.add_argument("--decoder-only", action="store_true", help="fine-tune with a frozen encoder (latents unchanged)")
    p.add_argument("--minutes", type=float, default=35)
    p.add_argument("--every", type=float, default=2)
    p.add_argument("--batch", type=int, default=16)
    p.add_argument("--muon", type=float, default=0.02, help="0: AdamW for everything")
    p.add_argument("--adam", type=float, default=2e-3)
    p.add_argument("--kl", type=float, default=1e-4)
    p.add_argument("--font", default=dataset.FONT)
    p.add_argument("--names", default=dataset.NAMES)
    train(p.parse_args())


if __name__ == "__main__":
    main()
