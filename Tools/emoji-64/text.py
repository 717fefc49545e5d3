"""Pretrains the text encoder by regression: caption -> hidden states -> a throw-away reader -> the mean small picture.

A diffusion loss teaches a text encoder slowly, because most of the error is explained by the noisy picture itself. Here
nothing but the caption can lower the loss, and the reader is what the U-Net will be: cross-attention with 2-D position
queries. After it, hidden states hold shape, colours, background and style in a form that cross-attention reads.

Two things make the token space smooth, so that Textual Inversion finds new words in it: anonymous tokens (one for
every object of the font that has no caption name; the encoder must carry far more shapes than there are names) and
mixed tokens (an interpolation of two names must give the interpolation of the two pictures), besides noise on all token
embeddings.
"""
import argparse

import numpy as np
import torch
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel

import captions
import common
import dataset

SMALL = 32                # side of the regressed picture
GRID = 8                  # the reader's queries: GRID x GRID, each writes a (SMALL / GRID)-pixel square
LENGTH = 77
OBJECTS = ("Animals & Nature", "Food & Drink", "Travel & Places", "Activities", "Objects")


def build(tokenizer):
    config = CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=192, intermediate_size=768, num_hidden_layers=4, num_attention_heads=4,
        max_position_embeddings=LENGTH, hidden_act="quick_gelu", projection_dim=192,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)
    return CLIPTextModel(config)


class Words(nn.Module):
    """Token ids -> hidden states, with ids past the vocabulary for anonymous tokens, with noise and mixed tokens."""

    def __init__(self, encoder, anonymous, noise=0.1):
        super().__init__()
        self.encoder, self.noise = encoder, noise
        self.anonymous = nn.Embedding(anonymous, 192)
        nn.init.normal_(self.anonymous.weight, std=0.02)
        self.table = encoder.get_input_embeddings()

    def rows(self, ids):
        size = self.table.num_embeddings
        known = self.table(ids.clamp(max=size - 1))
        return torch.where((ids < size)[..., None], known, self.anonymous((ids - size).clamp(min=0)))

    def mix(self, ids, other_ids, share):
        """Interpolates two captions' embeddings, at the interpolated norm (a mean of two vectors is too short)."""
        a, b, s = self.rows(ids), self.rows(other_ids), share[:, None, None]
        out = a * s + b * (1 - s)
        norm = a.norm(dim=-1, keepdim=True) * s + b.norm(dim=-1, keepdim=True) * (1 - s)
        return out * norm / out.norm(dim=-1, keepdim=True).clamp(min=1e-6)

    def forward(self, ids, other_ids=None, share=None):
        rows = self.rows(ids) if other_ids is None else self.mix(ids, other_ids, share)
        if self.training and self.noise:
            scale = self.noise * rows.detach().square().mean(-1, keepdim=True).sqrt()
            rows = rows + scale * torch.randn_like(rows)
        return self.hidden(rows)

    def hidden(self, rows):
        """The encoder from given token embeddings (CLIPTextModel takes ids only): causal, final layer norm."""
        return encode_rows(self.encoder, rows)


def encode_rows(encoder, rows):
    """last_hidden_state for token embeddings (B, L, 192) instead of ids."""
    model = getattr(encoder, "text_model", encoder)
    positions = torch.arange(rows.shape[1], device=rows.device)[None]
    x = rows + model.embeddings.position_embedding(positions)
    for layer in model.encoder.layers:
        attention = layer.self_attn
        h = layer.layer_norm1(x)
        split = (rows.shape[0], rows.shape[1], attention.num_heads, attention.head_dim)
        q, k, v = (p(h).view(split).transpose(1, 2) for p in (attention.q_proj, attention.k_proj, attention.v_proj))
        h = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + attention.out_proj(h.transpose(1, 2).reshape(rows.shape))
        x = x + layer.mlp(layer.layer_norm2(x))
    return model.final_layer_norm(x)


class Reader(nn.Module):
    """The throw-away decoder: two blocks of cross-attention and MLP on GRID x GRID learned position queries."""

    def __init__(self, width=192):
        super().__init__()
        self.queries = nn.Parameter(torch.randn(1, GRID * GRID, width) * 0.5)
        self.blocks = nn.ModuleList(nn.ModuleDict(dict(
            norm1=nn.LayerNorm(width), q=nn.Linear(width, width), kv=nn.Linear(width, 2 * width),
            out=nn.Linear(width, width), norm2=nn.LayerNorm(width),
            mlp=nn.Sequential(nn.Linear(width, 3 * width), nn.GELU(), nn.Linear(3 * width, width)))) for _ in range(2))
        self.last = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 3 * (SMALL // GRID) ** 2))

    def forward(self, hidden):
        n = len(hidden)
        x = self.queries.expand(n, -1, -1)
        for b in self.blocks:
            k, v = b["kv"](hidden).chunk(2, -1)
            heads = [t.view(n, t.shape[1], 4, -1).transpose(1, 2) for t in (b["q"](b["norm1"](x)), k, v)]
            h = nn.functional.scaled_dot_product_attention(*heads).transpose(1, 2).reshape(x.shape)
            x = x + b["out"](h)
            x = x + b["mlp"](b["norm2"](x))
        cell = SMALL // GRID
        out = self.last(x).view(n, GRID, GRID, cell, cell, 3)
        return out.permute(0, 5, 1, 3, 2, 4).reshape(n, 3, SMALL, SMALL)


class Pictures:
    """Still small pictures of (glyph, background, style), composed as tensors."""

    def __init__(self, glyphs):
        black, white = [], []
        for g in glyphs:
            for style in ("photo", "sketch", "silhouette"):
                black.append(dataset.place(g.image, "black", style, None, still=True))
                white.append(dataset.place(g.image, "white", style, None, still=True))
        shape = (len(glyphs), 3, SMALL, 2, SMALL, 2, 3)
        black, white = (np.stack(a).reshape(shape).astype(np.float32).mean((3, 5)) for a in (black, white))
        low, high = (np.asarray(dataset.BACKGROUNDS[n], np.float32) for n in ("black", "white"))
        clear = ((white - black) / (high - low)).clip(0, 1)      # share of the background in each pixel
        # A silhouette's tone depends on the background: white paint on black is 'black' above.
        clear[:, 2] = ((black[:, 2] - 255) / (low - 255)).clip(0, 1)
        self.clear = torch.from_numpy(clear)
        self.paint = torch.from_numpy(black - clear * low)
        self.colours = torch.tensor(list(dataset.BACKGROUNDS.values()), dtype=torch.float32)
        self.white_tone = torch.tensor([n in ("black", "blue", "purple", "brown") for n in dataset.BACKGROUNDS])

    def __call__(self, glyph, background, style):
        """float (N, 3, SMALL, SMALL) in -1...1 of index tensors."""
        row = torch.where(style == 3, 0, style)
        clear, paint = self.clear[glyph, row], self.paint[glyph, row]
        dark = (style == 2) & ~self.white_tone[background]
        paint = torch.where(dark[:, None, None, None], (1 - clear) * 16, paint)
        out = paint + clear * self.colours[background][:, None, None, :]
        blocks = out.view(-1, 16, 2, 16, 2, 3).mean((2, 4)).repeat_interleave(2, 1).repeat_interleave(2, 2)
        out = torch.where((style == 3)[:, None, None, None], blocks, out)
        return out.permute(0, 3, 1, 2).div(127.5).sub(1)


class Captioner:
    """Draws (ids, ids of the mixed partner, share, glyph, partner glyph, background, style) batches."""

    def __init__(self, tokenizer, taught, anonymous, anonymous_share):
        self.tokenizer, self.taught, self.share = tokenizer, taught, anonymous_share
        self.glyphs = taught + anonymous
        self.first_anonymous = len(tokenizer)
        single = [len(tokenizer(g.name).input_ids) == 3 for g in taught]
        self.single = [i for i, s in enumerate(single) if s] + list(range(len(taught), len(self.glyphs)))
        self.categories = sorted({g.category for g in taught})
        self.mark = tokenizer.convert_tokens_to_ids("fox</w>")
        self.backgrounds = list(dataset.BACKGROUNDS)

    def glyph(self, rng):
        return self.pick(rng, rng.random() < self.share)

    def pick(self, rng, anonymous):
        count = len(self.taught)
        return int(count + rng.integers(len(self.glyphs) - count) if anonymous else rng.integers(count))

    def ids(self, glyph, background, style, rng, length, state=None):
        """Padded ids; an anonymous glyph's own token stands where its name would."""
        named = glyph < len(self.taught)
        word = self.taught[glyph].name.lower() if named else "fox"
        if named and rng.random() < 0.05:
            word = self.taught[glyph].category
        text = captions.caption(word, background, style, rng)
        out = self.tokenizer(text).input_ids
        if not named:
            out = [self.first_anonymous + glyph - len(self.taught) if i == self.mark else i for i in out]
        return (out + [self.tokenizer.eos_token_id] * length)[:length]

    def batch(self, size, rng, length=LENGTH, mixed=0.25):
        rows, partners, shares, index = [], [], [], []
        for _ in range(size):
            style = int(rng.choice(4, p=(0.7, 0.1, 0.1, 0.1)))
            background = int(rng.integers(12))
            asked = self.backgrounds[background] if rng.random() < 0.65 else None
            first = self.glyph(rng)
            second, share = first, 1.0
            seed = int(rng.integers(1 << 30))
            if rng.random() < mixed:
                first, second = rng.choice(self.single, 2, replace=False)
                share = rng.random()
            make = np.random.default_rng
            rows.append(self.ids(first, asked, dataset.STYLES[style], make(seed), length))
            partners.append(self.ids(second, asked, dataset.STYLES[style], make(seed), length))
            if share < 1 and sum(a != b for a, b in zip(rows[-1], partners[-1])) != 1:     # a category
                partners[-1], second, share = rows[-1], first, 1.0
            shares.append(share)
            index.append((first, second, background, style))
        return (torch.tensor(rows), torch.tensor(partners), torch.tensor(shares, dtype=torch.float32),
                torch.tensor(np.asarray(index, np.int64)))


def prepare(args):
    """Everything that the pretraining and the U-Net training share."""
    taught, held_out, other = dataset.load(args.font, args.names)
    anonymous = [g for g in other if g.category in OBJECTS]
    tokenizer = captions.tokenizer(args.tokenizer)
    encoder = build(tokenizer)
    return taught, held_out, anonymous, tokenizer, Words(encoder, len(anonymous))


def train(args):
    torch.manual_seed(2)
    taught, held_out, anonymous, tokenizer, words = prepare(args)
    reader, rng = Reader(), np.random.default_rng()
    pictures = Pictures(taught + anonymous)
    captioner = Captioner(tokenizer, taught, anonymous, args.anonymous)
    state = common.load(args.checkpoint) or {}
    if state:
        words.load_state_dict(state["words"])
        reader.load_state_dict(state["reader"])
    named = [(n, p) for m in (words, reader) for n, p in m.named_parameters()]
    optimizers = common.Optimizers(named, args.muon, args.adam, ("embedding", "anonymous", "table", "queries"))
    if state:
        optimizers.load_state_dict(state["optimizer"])
    step, clock, saved, mean = state.get("step", 0), common.Clock(state.get("minutes", 0)), 0, None
    print(f"{len(taught)} taught, {len(anonymous)} anonymous glyphs, {len(tokenizer)} tokens", flush=True)
    while clock.minutes() < args.minutes:
        # Most of the run reads 28 rows: a caption ends before them, and 77 cost nearly three times as much.
        length = LENGTH if clock.minutes() > args.minutes * 0.85 else 28
        ids, partners, share, index = captioner.batch(args.batch, rng, length)
        with torch.no_grad():
            s = share[:, None, None, None]
            target = pictures(index[:, 0], index[:, 2], index[:, 3]) * s
            target += pictures(index[:, 1], index[:, 2], index[:, 3]) * (1 - s)
        with common.autocast():
            out = reader(words(ids, partners, share))
        loss = (out.float() - target).square().mean()
        loss.backward()
        optimizers.step(clock.minutes() / args.minutes)
        step += 1
        mean = loss.item() if mean is None else mean + (loss.item() - mean) * 0.02
        if clock.minutes() - saved > args.every or clock.minutes() >= args.minutes:
            saved = clock.minutes()
            common.save(dict(words=words.state_dict(), reader=reader.state_dict(), optimizer=optimizers.state_dict(),
                             step=step, minutes=saved), args.checkpoint)
            print(f"{saved:6.1f} min step {step} {step * args.batch} captions, loss {mean:.4f}", flush=True)
            look = torch.stack([target[:24], out[:24].detach().float()]).flatten(0, 1)
            look = nn.functional.interpolate(look, scale_factor=2)
            show = (look.clamp(-1, 1) + 1).mul(127.5).byte().permute(0, 2, 3, 1).numpy()
            dataset.sheet(show, 24, args.checkpoint + ".png")


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--checkpoint", required=True)
    p.add_argument("--tokenizer", required=True, help="folder for the tokenizer's files")
    p.add_argument("--minutes", type=float, default=20)
    p.add_argument("--every", type=float, default=2)
    p.add_argument("--batch", type=int, default=64)
    p.add_argument("--anonymous", type=float, default=0.3, help="share of pictures of glyphs without a name")
    p.add_argument("--muon", type=float, default=0.02)
    p.add_argument("--adam", type=float, default=2e-3)
    p.add_argument("--font", default=dataset.FONT)
    p.add_argument("--names", default=dataset.NAMES)
    train(p.parse_args())


if __name__ == "__main__":
    main()
