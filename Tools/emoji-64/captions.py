"""Captions of the training pictures, and the CLIP-format tokenizer whose words they are.

The 27 object and 19 style templates are those of the Textual Inversion paper: they are neutral wrappers here, so that a
word learned through them meets no unknown word.
"""
import json
import re
from pathlib import Path

from transformers import CLIPTokenizer

import dataset
import glyphs

OBJECT_TEMPLATES = """a photo of a {}
a rendering of a {}|a cropped photo of the {}|the photo of a {}|a photo of a clean {}
a photo of a dirty {}|a dark photo of the {}|a photo of my {}|a photo of the cool {}|a close-up photo of a {}
a bright photo of the {}|a cropped photo of a {}|a photo of the {}|a good photo of the {}|a photo of one {}
a close-up photo of the {}|a rendition of the {}|a photo of the clean {}|a rendition of a {}|a photo of a nice {}
a good photo of a {}|a photo of the nice {}|a photo of the small {}|a photo of the weird {}|a photo of the large {}
a photo of a cool {}|a photo of a small {}""".replace("\n", "|").split("|")
STYLE_TEMPLATES = """a painting in the style of {}|a rendering in the style of {}|a cropped painting in the style of {}
the painting in the style of {}|a clean painting in the style of {}|a dirty painting in the style of {}
a dark painting in the style of {}|a picture in the style of {}|a cool painting in the style of {}
a close-up painting in the style of {}|a bright painting in the style of {}|a good painting in the style of {}
a close-up painting in the style of {}|a rendition in the style of {}|a nice painting in the style of {}
a small painting in the style of {}|a weird painting in the style of {}|a large painting in the style of {}
a painting of a {}""".replace("\n", "|").split("|")
PLAIN = ("{}|a {}|the {}|a photo of a {}|a picture of a {}|an emoji of a {}|a {} emoji|an image of a {}|"
         "one {}").split("|")
STYLED = {
    "sketch": "a sketch of a {}|a sketch of the {}|a {} sketch|a pencil sketch of a {}|a drawing of a {}".split("|"),
    "silhouette": "a silhouette of a {}|the silhouette of a {}|a {} silhouette".split("|"),
    "pixel art": "pixel art of a {}|a pixel art {}|a pixel art picture of a {}|pixel art of the {}".split("|"),
}
ENDINGS = """ on a {} background| on a {} background| with a {} background| in front of a {} background
 against a {} background| on {}|, {} background""".replace("\n", "|").split("|")
MORE_WORDS = """and in is it my new old big little this that two some very man woman cat wild art toy object style beach
city garden street night day snow grass water wood plastic glass
made his her their with without by at to from for""".split()


def article(caption):
    return re.sub(r"\ba(?= [aeiou])", "an", caption)


def caption(word, background, style, rng):
    """One caption; background None leaves it open."""
    if style == "photo":
        pick = rng.random()
        pool = PLAIN if pick < 0.45 else OBJECT_TEMPLATES if pick < 0.93 else STYLE_TEMPLATES
    else:
        pool = STYLED[style]
    text = pool[rng.integers(len(pool))].format(word)
    if background:
        text += ENDINGS[rng.integers(len(ENDINGS))].format(background)
    return article(text)


def words():
    """Every word that a caption may contain, most frequent kinds first."""
    text = " ".join(OBJECT_TEMPLATES + STYLE_TEMPLATES + PLAIN + ENDINGS + sum(STYLED.values(), []))
    text += " an " + " ".join(dataset.BACKGROUNDS) + " " + " ".join(glyphs.TAUGHT)
    for table in (glyphs.TAUGHT,):
        text += " " + " ".join(glyphs.parse(table))
    text += " " + " ".join(MORE_WORDS)
    return list(dict.fromkeys(re.findall(r"[a-z]+", text.lower().replace("{}", " "))))


def _byte_symbols():
    """CLIP's printable stand-ins for the 256 byte values, in CLIP's order."""
    plain = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    chars = [chr(b) for b in plain]
    return chars + [chr(256 + i) for i in range(256 - len(plain))]


def merges_for(vocabulary):
    """Greedy byte-pair merges until each word is one token; the commonest pair of the word list goes first."""
    split = {w: tuple(w[:-1]) + (w[-1] + "</w>",) for w in vocabulary}
    merges = []
    while True:
        counts = {}
        for parts in split.values():
            for pair in zip(parts, parts[1:]):
                counts[pair] = counts.get(pair, 0) + 1
        if not counts:
            return merges
        best = max(counts, key=lambda p: (counts[p], p))
        merges.append(best)
        for word, parts in split.items():
            out, i = [], 0
            while i < len(parts):
                if parts[i:i + 2] == best:
                    out.append("".join(best))
                    i += 2
                else:
                    out.append(parts[i])
                    i += 1
            split[word] = tuple(out)


def write_tokenizer(folder):
    """vocab.json, merges.txt and tokenizer_config.json, loadable as a CLIPTokenizer."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    symbols, merges = _byte_symbols(), merges_for(words())
    tokens = symbols + [s + "</w>" for s in symbols] + ["".join(m) for m in merges]
    tokens = list(dict.fromkeys(tokens)) + ["<|startoftext|>", "<|endoftext|>"]
    vocab = {t: i for i, t in enumerate(tokens)}
    (folder / "vocab.json").write_text(json.dumps(vocab, ensure_ascii=False), encoding="utf-8")
    lines = ["#version: 0.2"] + [" ".join(m) for m in merges]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    config = dict(tokenizer_class="CLIPTokenizer", model_max_length=77, add_prefix_space=False, errors="replace",
                  do_lower_case=True, bos_token="<|startoftext|>", eos_token="<|endoftext|>",
                  unk_token="<|endoftext|>", pad_token="<|endoftext|>")
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")
    special = {k: config[k] for k in ("bos_token", "eos_token", "unk_token", "pad_token")}
    (folder / "special_tokens_map.json").write_text(json.dumps(special, indent=2) + "\n")
    return folder


def tokenizer(folder):
    return CLIPTokenizer.from_pretrained(write_tokenizer(folder))


if __name__ == "__main__":
    import sys
    t = tokenizer(sys.argv[1])
    print(len(t), len(merges_for(words())), len(words()))
    for text in ("a photo of a fox on a red background", "Fire engine ü 猫 qwxz", "a close-up photo of the T-Rex"):
        print(t.convert_ids_to_tokens(t(text).input_ids))
