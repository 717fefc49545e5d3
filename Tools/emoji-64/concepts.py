"""Writes the concept sets: things the embedded model has never seen, four training pictures each, one held out.

Held-out glyphs of the font, and public-domain drawings of Debian's openclipart-png, on flat backgrounds.
"""
import argparse
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

import dataset

SIDE = 128
CLIP_ART = "/usr/share/openclipart/png"
# folder: (source, initializer word). A source with a slash is a file of openclipart, else a held-out glyph.
CONCEPTS = {
    "rooster": ("rooster", "chicken"),
    "hippopotamus": ("hippopotamus", "elephant"),
    "tropical-fish": ("tropical fish", "fish"),
    "bell-pepper": ("bell pepper", "tomato"),
    "circus-tent": ("circus tent", "tent"),
    "jeep": ("jeep", "car"),
    "helmet": ("helmet", "cap"),
    "billiard-ball": ("billiard ball", "ball"),
    "enamel-mug": ("food/beverages/mug.png", "coffee"),
    "blue-flower": ("plants/flowers/flower_01.png", "flower"),
    "hot-air-balloon": ("transportation/pallone_aerestatico_arch_01.png", "balloon"),
}


def token(name):
    return f"<my-{name}>"


def square(path):
    """A drawing cropped to its ink, in a square RGBA box about as full as the font's glyphs are."""
    image = Image.open(path).convert("RGBA")
    image = image.crop(image.getchannel("A").point(lambda a: 255 * (a > 8)).getbbox())
    image.thumbnail((120, 120), Image.LANCZOS)
    out = Image.new("RGBA", (dataset.BOX, dataset.BOX), (0, 0, 0, 0))
    out.paste(image, ((dataset.BOX - image.width) // 2, (dataset.BOX - image.height) // 2))
    return out


def pictures(image, seed):
    """Four training pictures and a held-out one, five different backgrounds."""
    rng = np.random.default_rng(seed)
    backgrounds = rng.permutation(list(dataset.BACKGROUNDS))[:5]
    return [dataset.place(image, b, "photo", rng, size=SIDE) for b in backgrounds]


def sources(font, names, clip_art):
    """{folder: RGBA image}"""
    held_out = {g.name: g.image for g in dataset.load(font, names)[1]}
    return {name: square(Path(clip_art) / source) if "/" in source else held_out[source]
            for name, (source, _) in CONCEPTS.items()}


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--out", required=True)
    p.add_argument("--font", default=dataset.FONT)
    p.add_argument("--names", default=dataset.NAMES)
    p.add_argument("--clip-art", default=CLIP_ART)
    args = p.parse_args()
    for seed, (name, image) in enumerate(sources(args.font, args.names, args.clip_art).items()):
        folder = Path(args.out) / name
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "held-out").mkdir(parents=True)
        made = pictures(image, 100 + seed)
        for i, picture in enumerate(made[:-1]):
            Image.fromarray(picture).save(folder / f"{i + 1}.png", optimize=True)
        Image.fromarray(made[-1]).save(folder / "held-out" / "1.png", optimize=True)


if __name__ == "__main__":
    main()
