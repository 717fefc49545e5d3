"""Textual Inversion in PyTorch on an exported folder: are the concept sets learnable, and with which step size?

The reference for the project's own trainer: frozen networks, one new token embedding, timesteps 500...899,
captions from the object templates. `--mode directional` keeps the norm fixed and steps along the sphere, `--mode plain`
is Adam.
"""
import argparse
import json
from pathlib import Path

import numpy as np
import torch
from diffusers.models.attention_processor import AttnProcessor
from PIL import Image

import captions
import concepts
import evaluate
import text
import unet as unet_module

WINDOW = (500, 900)
MARK = "fox"              # stands in for the new word while captions are tokenized


def load_pictures(paths):
    return np.stack([np.asarray(Image.open(p).convert("RGB").resize((64, 64), Image.BOX)) for p in paths])


class Captions:
    """Token embeddings of captions in which one position is the new word's."""

    def __init__(self, pipe, templates):
        ids = pipe.tokenizer([t.format(MARK) for t in templates], padding="max_length", max_length=77,
                             return_tensors="pt").input_ids
        self.rows = pipe.text_encoder.get_input_embeddings()(ids).detach()
        self.place = (ids == pipe.tokenizer.convert_tokens_to_ids(MARK + "</w>"))[..., None]

    def __call__(self, index, embedding):
        return torch.where(self.place[index], embedding, self.rows[index])


def word_embedding(pipe, word):
    """The token embedding of a one-token word; the mean of the tokens otherwise."""
    ids = pipe.tokenizer(word, add_special_tokens=False, return_tensors="pt").input_ids
    return pipe.text_encoder.get_input_embeddings()(ids)[0].mean(0).detach()


def mean_norm(pipe):
    """Mean norm of the vocabulary's trained rows: words that captions use, not byte symbols nobody has seen."""
    ids = [pipe.tokenizer.convert_tokens_to_ids(w + "</w>") for w in captions.words()]
    return pipe.text_encoder.get_input_embeddings().weight[ids].norm(dim=-1).mean().item()


def learn(pipe, latents, initializer, steps, lr, batch=4, mode="directional", seed=0, kappa=1e-4):
    """{steps: embedding learned by then} for the asked step counts."""
    draw = torch.Generator().manual_seed(seed)
    texts = Captions(pipe, captions.OBJECT_TEMPLATES)
    start = word_embedding(pipe, initializer)
    norm = mean_norm(pipe)
    v = (start / start.norm() * (norm if mode == "directional" else start.norm())).clone().requires_grad_()
    prior = start / start.norm()
    adam = torch.optim.AdamW([v], lr=lr, weight_decay=0.0)
    out = {}
    for step in range(1, max(steps) + 1):
        index = torch.randint(0, len(latents), (batch,), generator=draw)
        caption = torch.randint(0, len(captions.OBJECT_TEMPLATES), (batch,), generator=draw)
        t = torch.randint(*WINDOW, (batch,), generator=draw)
        noise = torch.randn((batch,) + latents.shape[1:], generator=draw)
        noisy, target = unet_module.noised(latents[index], noise, t, pipe.scheduler.alphas_cumprod)
        hidden = text.encode_rows(pipe.text_encoder, texts(caption, v))
        loss = (pipe.unet(noisy, t, hidden).sample - target).square().mean()
        gradient, = torch.autograd.grad(loss, v)
        if mode == "plain":
            v.grad = gradient
            adam.step()
        else:
            directional_step(v, gradient, prior, norm, lr, kappa)
        if step in steps:
            out[step] = v.detach().clone()
    return out


@torch.no_grad()
def directional_step(v, gradient, prior, norm, lr, kappa):
    """Directional Textual Inversion: a step of fixed length along the sphere of the mean vocabulary norm."""
    unit = v / v.norm()
    gradient = gradient - kappa * prior
    gradient -= (gradient @ unit) * unit
    unit = unit - lr * gradient / (gradient.norm() + 1e-12)
    v.copy_(unit / unit.norm() * norm)


@torch.no_grad()
def loss_with(pipe, latents, embedding, draws=32, seed=9):
    """Held-out loss with 'a photo of a <word>', fixed noise and timesteps: comparable between embeddings."""
    draw = torch.Generator().manual_seed(seed)
    x = latents.repeat_interleave(draws, 0)
    t = torch.linspace(*WINDOW, draws).long().clamp(max=WINDOW[1] - 1).repeat(len(latents))
    noise = torch.randn((draws,) + latents.shape[1:], generator=draw).repeat(len(latents), 1, 1, 1)
    texts = Captions(pipe, ["a photo of a {}"])
    hidden = text.encode_rows(pipe.text_encoder, texts([0], embedding)).expand(len(x), -1, -1)
    return evaluate.denoising_loss(pipe, x, hidden, noise, t).mean().item()


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--model", required=True)
    p.add_argument("--concepts", required=True)
    p.add_argument("--only", nargs="*")
    p.add_argument("--mode", nargs="+", default=["directional"])
    p.add_argument("--lr", type=float, nargs="+", default=[0.05])
    p.add_argument("--steps", type=int, nargs="+", default=[100])
    p.add_argument("--batch", type=int, default=4)
    p.add_argument("--sheet")
    p.add_argument("--save", help="torch file of the learned embeddings")
    args = p.parse_args()
    pipe = evaluate.load(args.model)
    pipe.unet.set_attn_processor(AttnProcessor())
    pipe.unet.requires_grad_(False), pipe.text_encoder.requires_grad_(False)
    names = args.only or list(concepts.CONCEPTS)
    base = Path(args.concepts)
    train = {n: evaluate.encode(pipe, load_pictures(sorted((base / n).glob("*.png")))) for n in names}
    test = {n: evaluate.encode(pipe, load_pictures(sorted((base / n / "held-out").glob("*.png")))) for n in names}
    initial = {n: loss_with(pipe, test[n], word_embedding(pipe, concepts.CONCEPTS[n][1])) for n in names}
    for mode in args.mode:
        for lr in args.lr:
            runs = {n: learn(pipe, train[n], concepts.CONCEPTS[n][1], args.steps, lr, args.batch, mode) for n in names}
            for steps in args.steps:
                learned = {n: runs[n][steps] for n in names}
                report(pipe, names, learned, test, initial, f"{mode} lr {lr} steps {steps}")
    if args.sheet:
        write_sheet(pipe, names, learned, base, args.sheet)
    if args.save:
        torch.save(learned, args.save)


def report(pipe, names, learned, test, initial, title):
    table = {n: {m: loss_with(pipe, test[n], learned[m]) for m in names} for n in names}
    gains = {n: round(1 - table[n][n] / initial[n], 4) for n in names}
    found = [min(table[n], key=table[n].get) == n for n in names]
    print(json.dumps(dict(run=title, mean_gain=round(float(np.mean(list(gains.values()))), 4),
                          retrieval=round(float(np.mean(found)), 3), gains=gains)), flush=True)


@torch.no_grad()
def write_sheet(pipe, names, learned, base, path, steps=25, guidance=3.0):
    """One row a concept: its first training picture, then pictures of five captions with the learned word."""
    import dataset
    templates = ["a photo of a {}", "a photo of a {}", "a photo of a {} on a red background",
                 "a {} on a blue background",
                 "a sketch of a {} on a white background", "a silhouette of a {} on a yellow background"]
    out = []
    texts = Captions(pipe, templates)
    empty = evaluate.hidden_states(pipe, [""]).expand(len(templates), -1, -1)
    for n in names:
        hidden = text.encode_rows(pipe.text_encoder, texts(list(range(len(templates))), learned[n]))
        generators = [torch.Generator().manual_seed(i) for i in range(len(templates))]
        made = pipe(prompt_embeds=hidden, negative_prompt_embeds=empty, num_inference_steps=steps,
                    guidance_scale=guidance, generator=generators, output_type="np").images
        first = load_pictures([base / n / "1.png", base / n / "held-out" / "1.png"])
        out.append(np.concatenate([first, (made * 255).round().astype(np.uint8)]))
    dataset.sheet(np.concatenate(out), len(templates) + 2, path)


if __name__ == "__main__":
    main()
