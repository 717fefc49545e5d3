"""Trains the U-Net of emoji-64 on cached latents: v-prediction, more of the noisy timesteps, 10 % empty captions."""
import argparse
from pathlib import Path

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from safetensors.torch import load_file

import common
import dataset
import text

CONFIG = dict(
    sample_size=16, in_channels=4, out_channels=4, layers_per_block=1, block_out_channels=[64, 128, 192],
    down_block_types=["DownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"], mid_block_type="UNetMidBlock2DCrossAttn",
    up_block_types=["UpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"], cross_attention_dim=192, attention_head_dim=4,
    norm_num_groups=16)
SCHEDULER = dict(
    num_train_timesteps=1000, beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear",
    prediction_type="v_prediction", clip_sample=False, set_alpha_to_one=False, steps_offset=1,
    timestep_spacing="leading")


def build():
    unet = UNet2DConditionModel(**CONFIG)
    torch.nn.init.zeros_(unet.conv_out.weight)
    unet.set_attn_processor(AttnProcessor())      # plain products: on a CPU the fused attention's backward is slow
    return unet.to(common.device(), memory_format=torch.channels_last)


def alphas():
    b = torch.linspace(SCHEDULER["beta_start"] ** 0.5, SCHEDULER["beta_end"] ** 0.5, 1000, dtype=torch.float64) ** 2
    return torch.cumprod(1 - b, 0).float()


def noised(x, noise, t, cumulative):
    """(noisy latents, v target)."""
    a = cumulative[t].sqrt()[:, None, None, None]
    s = (1 - cumulative[t]).sqrt()[:, None, None, None]
    return a * x + s * noise, a * noise - s * x


def timesteps(n, noisy_share=0.7):
    """At little noise the caption tells nothing new, so 70 % of the steps are drawn from 300...999."""
    high = torch.rand(n) < noisy_share
    return torch.where(high, torch.randint(300, 1000, (n,)), torch.randint(0, 300, (n,)))


class Data:
    """Batches of (latents, caption ids) from the cache."""

    def __init__(self, cache, captioner, anonymous_share):
        self.captioner, self.share = captioner, anonymous_share
        self.load(cache)

    def load(self, cache):
        self.latents, self.rows, self.scale = cache["latents"], cache["rows"], cache["scale"]
        self.named = torch.nonzero(self.rows[:, 0] < cache["taught"])[:, 0].numpy()
        self.nameless = torch.nonzero(self.rows[:, 0] >= cache["taught"])[:, 0].numpy()

    def batch(self, size, rng):
        index, ids = [], []
        empty = self.captioner.tokenizer("", padding="max_length").input_ids
        for _ in range(size):
            pool = self.nameless if rng.random() < self.share else self.named
            i = int(pool[rng.integers(len(pool))])
            glyph, background, style = (int(v) for v in self.rows[i])
            asked = self.captioner.backgrounds[background] if rng.random() < 0.65 else None
            index.append(i)
            ids.append(empty if rng.random() < 0.1
                       else self.captioner.ids(glyph, asked, dataset.STYLES[style], rng, text.LENGTH))
        return self.latents[index].float() * self.scale, torch.tensor(ids)


def load_words(args):
    taught, _, anonymous, tokenizer, words = text.prepare(args)
    if args.text:
        words.load_state_dict(common.load(args.text)["words"])
    return words, text.Captioner(tokenizer, taught, anonymous, 0)


def start_from(folder, unet, words):
    """Weights of an exported folder; it holds no anonymous tokens, so leave their glyphs out (`--anonymous 0`)."""
    unet.load_state_dict(load_file(Path(folder) / "unet" / "diffusion_pytorch_model.safetensors"))
    weights = load_file(Path(folder) / "text_encoder" / "model.safetensors")
    plain = {k.removeprefix("text_model."): v for k, v in weights.items()}
    own = words.encoder.state_dict()
    words.encoder.load_state_dict({k: plain[k.removeprefix("text_model.")] for k in own})


def trainable(unet, words, joint):
    """The U-Net, and with `joint` the text encoder and its tokens too."""
    words.requires_grad_(bool(joint))
    return [("unet." + n, p) for n, p in unet.named_parameters()] + (
        [("words." + n, p) for n, p in words.named_parameters()] if joint else [])


def save(args, state, unet, words, average, optimizers):
    """The checkpoint holds the live weights, to go on from, and their average, to use."""
    average.swap()
    weights = {k: v.clone() for k, v in unet.state_dict().items()}
    word_weights = {k: v.clone() for k, v in words.state_dict().items()}
    average.swap()
    common.save(dict(unet=unet.state_dict(), words=words.state_dict(), average=weights, average_words=word_weights,
                     shadow=average.shadow, optimizer=optimizers.state_dict(), joint=bool(args.joint), **state),
                args.checkpoint)
    by_noise = " ".join(f"{m:.3f}" for m in state["mean"])
    print(f"{state['minutes']:6.1f} min step {state['step']} {state['pictures']} pictures, loss by t/100: {by_noise}",
          flush=True)


def train(args):
    common.join_processes()
    torch.manual_seed(4)                          # equal initial weights in all processes, ...
    words, captioner = load_words(args)
    cache = common.load(args.latents)
    data, unet, rng = Data(cache, captioner, args.anonymous), build(), np.random.default_rng()
    state = common.load(args.checkpoint) or {}
    if state:
        unet.load_state_dict(state["unet"])
        words.load_state_dict(state["words"])
    elif args.from_folder:
        start_from(args.from_folder, unet, words)
    named = trainable(unet, words, args.joint)
    average = common.Average((p for _, p in named), args.average)
    optimizers = common.Optimizers(named, args.muon, args.adam,
                                   ("conv_in", "conv_out", "time_embedding", "embedding", "anonymous", "table"))
    same = state.get("joint") == bool(args.joint)
    if state and same:
        optimizers.load_state_dict(state["optimizer"])
        average.shadow, average.steps = state["shadow"], state["step"]
    torch.seed()                                  # ... different noise
    cumulative = alphas()
    step, clock, mean = state.get("step", 0), common.Clock(state.get("minutes", 0)), state.get("mean", torch.zeros(10))
    saved, pictures = clock.minutes(), state.get("pictures", 0)
    now = common.agree(clock.minutes())
    while now < args.minutes:
        if step % 100 == 99:
            data.load(common.load(args.latents))      # the cache may still be growing
        x, ids = data.batch(args.batch, rng)
        t, noise = timesteps(args.batch), torch.randn_like(x)
        noisy, target = noised(x, noise, t, cumulative)
        with common.autocast():
            with torch.set_grad_enabled(bool(args.joint)):
                hidden = words(ids)
            out = unet(noisy.contiguous(memory_format=torch.channels_last), t, hidden).sample
        error = (out.float() - target).square().mean((1, 2, 3))
        error.mean().backward()
        optimizers.step(now / args.minutes)
        average.update()
        step, pictures, now = step + 1, pictures + args.batch * common.world(), common.agree(clock.minutes())
        for e, i in zip(error.detach(), t // 100):
            mean[i] = mean[i] + (e - mean[i]) * 0.01 if mean[i] else e
        if common.rank() == 0 and (now - saved > args.every or now >= args.minutes):
            saved = now
            save(args, dict(step=step, minutes=now, mean=mean, scale=data.scale, pictures=pictures),
                 unet, words, average, optimizers)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--checkpoint", required=True)
    p.add_argument("--latents", required=True)
    p.add_argument("--text", help="checkpoint of text.py")
    p.add_argument("--from-folder", help="start from an exported folder's weights instead")
    p.add_argument("--tokenizer", required=True)
    p.add_argument("--minutes", type=float, default=75)
    p.add_argument("--every", type=float, default=3)
    p.add_argument("--batch", type=int, default=64)
    p.add_argument("--joint", action="store_true", help="train the text encoder too")
    p.add_argument("--anonymous", type=float, default=0.12)
    p.add_argument("--average", type=float, default=0.995)
    p.add_argument("--muon", type=float, default=0.02)
    p.add_argument("--adam", type=float, default=2e-3)
    p.add_argument("--font", default=dataset.FONT)
    p.add_argument("--names", default=dataset.NAMES)
    train(p.parse_args())


if __name__ == "__main__":
    main()
