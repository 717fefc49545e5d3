"""Renders glyphs of Noto Color Emoji as captioned 64x64 pictures: a glyph, a background colour, a style.

Nothing is stored: a picture is a function of (glyph, background, style, random generator), about 0.5 ms each.
"""
import argparse
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

import glyphs

FONT = "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf"        # Debian: fonts-noto-color-emoji
NAMES = "/usr/share/unicode/emoji/emoji-test.txt"                 # Debian: unicode-data
SIZE = 64
STRIKE = 109              # the only pixel size of the font's bitmaps; they are 136x128
BOX = 136

# Flat colours, far apart from each other, so that the asked colour can be judged from the pixels.
BACKGROUNDS = {
    "white": (255, 255, 255), "black": (16, 16, 16), "gray": (128, 128, 128), "red": (220, 30, 40),
    "orange": (255, 140, 0), "yellow": (255, 225, 60), "green": (30, 150, 60), "blue": (30, 80, 220),
    "purple": (125, 40, 170), "pink": (255, 160, 200), "brown": (115, 65, 30), "cyan": (70, 210, 220),
}
STYLES = ("photo", "sketch", "silhouette", "pixel art")
STYLE_SHARE = (0.76, 0.08, 0.08, 0.08)


@dataclass
class Glyph:
    name: str             # the caption's word or words
    category: str
    image: Image.Image    # RGBA, BOX x BOX, straight alpha


def unicode_names(path=NAMES):
    """{Unicode name: character} of the fully qualified single-character emoji, with their group."""
    out, group = {}, ""
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        if line.startswith("# group:"):
            group = line[8:].strip()
        match = re.match(r"([0-9A-F ]+?)\s*; fully-qualified\s*# \S+ E[\d.]+ (.*)", line)
        if match and group != "Flags":
            points = [int(p, 16) for p in match[1].split() if p != "FE0F"]
            if len(points) == 1:
                out[match[2]] = (chr(points[0]), group)
    return out


def render(character, font):
    """The glyph's bitmap, centred in a BOX x BOX square; None when the font lacks it."""
    image = Image.new("RGBA", (BOX, BOX), (0, 0, 0, 0))
    ImageDraw.Draw(image).text((BOX // 2, BOX // 2), character, font=font, embedded_color=True, anchor="mm")
    box = image.getchannel("A").getbbox()
    if box is None or box[2] - box[0] < 8:
        return None
    glyph = image.crop(box)
    out = Image.new("RGBA", (BOX, BOX), (0, 0, 0, 0))
    out.paste(glyph, ((BOX - glyph.width) // 2, (BOX - glyph.height) // 2))
    return out


def load(font_path=FONT, names_path=NAMES):
    """(taught, held out, other glyphs), three lists of Glyph. 'Other' glyphs only ever train the VAE."""
    font = ImageFont.truetype(font_path, STRIKE)
    names = unicode_names(names_path)
    lists, used = [], set()
    for table in (glyphs.TAUGHT, glyphs.HELD_OUT):
        rows = []
        for caption, (unicode_name, category) in glyphs.parse(table).items():
            rows.append(Glyph(caption, category, render(names[unicode_name][0], font)))
            used.add(unicode_name)
        lists.append(rows)
    other = [Glyph(n, g, render(c, font)) for n, (c, g) in names.items() if n not in used and g != "Component"]
    return lists[0], lists[1], [g for g in other if g.image is not None]


def _sketch(image):
    """White paper in the glyph's outline with black lines where colour or alpha changes."""
    alpha = image.getchannel("A")
    flat = Image.new("RGB", image.size, (255, 255, 255))
    flat.paste(image, mask=alpha)
    grey = np.asarray(flat.convert("L").filter(ImageFilter.GaussianBlur(1.5)), np.float32)
    solid = np.asarray(alpha.filter(ImageFilter.GaussianBlur(1.5)), np.float32)
    edge = np.zeros_like(grey)
    for plane in (grey, solid):
        dy, dx = np.gradient(plane)
        edge = np.maximum(edge, np.hypot(dx, dy))
    ink = np.clip(edge * 14 - 30, 0, 255)
    shade = np.asarray(Image.fromarray(ink.astype(np.uint8)).filter(ImageFilter.MaxFilter(3)))
    rgb = np.repeat((255 - shade)[..., None], 3, 2)
    mask = np.maximum(np.asarray(alpha), shade)
    return Image.fromarray(np.dstack([rgb, mask]), "RGBA")


def _silhouette(image, background):
    """One flat tone: near-black, or white on the dark backgrounds."""
    tone = (255, 255, 255) if background in ("black", "blue", "purple", "brown") else (16, 16, 16)
    out = Image.new("RGBA", image.size, tone + (0,))
    out.putalpha(image.getchannel("A"))
    return out


def place(image, background, style, rng, still=False, size=SIZE):
    """uint8 (size, size, 3): the glyph in that style on that flat colour, shifted and scaled a little.

    `still` leaves out shift and scale; the picture is then the centre of the distribution.
    """
    if style == "sketch":
        image = _sketch(image)
    elif style == "silhouette":
        image = _silhouette(image, background)
    scale = 54 if still else rng.uniform(47, 61)                 # side of the font's box, of 64 pixels
    dx, dy = (0, 0) if still else rng.uniform(-3, 3, 2)
    out = _resample(image, scale / SIZE, dx / SIZE, dy / SIZE, size)
    colour = np.asarray(BACKGROUNDS[background], np.float32)
    picture = np.clip(out[..., :3] + colour * (1 - out[..., 3:] / 255), 0, 255)
    if style == "pixel art":
        cell = size // 16
        blocks = picture.reshape(16, cell, 16, cell, 3).mean((1, 3))
        picture = np.repeat(np.repeat(np.round(blocks / 32) * 32, cell, 0), cell, 1).clip(0, 255)
    return picture.astype(np.uint8)


def _resample(image, scale, dx, dy, size):
    """float (size, size, 4), premultiplied: the image at `scale` times the picture's side, off centre by dx, dy.

    Premultiplied alpha ("RGBa") keeps the glyph's rim free of the colour under transparent pixels.
    """
    box, ratio, margin = image.width, image.width / (scale * size), image.width // 2
    wide = Image.new("RGBa", (box + 2 * margin, box + 2 * margin))
    wide.paste(image.convert("RGBa"), (margin, margin))
    left, top = (margin + box / 2 - (size / 2 + d * size) * ratio for d in (dx, dy))
    region = (left, top, left + size * ratio, top + size * ratio)
    return np.asarray(wide.resize((size, size), Image.BICUBIC, box=region), np.float32)


def sheet(pictures, columns, path):
    """Writes uint8 pictures (N, 64, 64, 3) as one PNG."""
    rows = -(-len(pictures) // columns)
    out = np.full((rows * (SIZE + 2), columns * (SIZE + 2), 3), 255, np.uint8)
    for i, picture in enumerate(pictures):
        y, x = divmod(i, columns)
        out[y * (SIZE + 2):y * (SIZE + 2) + SIZE, x * (SIZE + 2):x * (SIZE + 2) + SIZE] = picture
    Image.fromarray(out).save(path)


def main():
    parser = argparse.ArgumentParser(description="Write a sheet of training pictures")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    taught, held_out, other = load()
    rng = np.random.default_rng(0)
    print(f"{len(taught)} taught, {len(held_out)} held out, {len(other)} other glyphs")
    names = list(BACKGROUNDS)
    pictures = [place(g.image, names[rng.integers(12)], rng.choice(STYLES, p=STYLE_SHARE), rng)
                for g in taught + held_out]
    sheet(pictures, 24, args.out)


if __name__ == "__main__":
    main()
