"""Writes pictures of taught glyphs, named by their words: what a known word gains over its neighbour is the measure
for a learned one (`inversion evaluate --known`)."""
import argparse
from pathlib import Path

import numpy as np
from PIL import Image

import dataset

# In pairs that come near each other, as an initializer word comes near a concept.
WORDS = "dog cat tiger lion fox wolf chicken duck rose tulip apple peach bus truck guitar violin".split()
SEED = 17


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--out", required=True)
    p.add_argument("--font", default=dataset.FONT)
    p.add_argument("--names", default=dataset.NAMES)
    args = p.parse_args()
    taught = {g.name: g.image for g in dataset.load(args.font, args.names)[0]}
    rng = np.random.default_rng(SEED)
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    for word in WORDS:
        background = rng.choice(list(dataset.BACKGROUNDS))
        picture = dataset.place(taught[word], background, "photo", rng)
        Image.fromarray(picture).save(out / f"{word}.png", optimize=True)


if __name__ == "__main__":
    main()
