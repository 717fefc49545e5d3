"""A CLIP tokenizer with a few hundred merges: the words of the prompt templates are one token each."""

import json
from collections import Counter
from pathlib import Path

from transformers import CLIPTokenizer

START, END = "<|startoftext|>", "<|endoftext|>"
WORDS = """a the of my one in photo picture rendering rendition depiction painting style cropped clean dirty dark cool
close up bright good nice small weird large cat dog fox toy red blue green""".split()


def byte_alphabet() -> list[str]:
    """The printable stand-ins of the 256 bytes, in CLIP's order."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in kept]
    return [chr(byte) for byte in kept] + [chr(256 + index) for index in range(len(others))]


def train_merges(words: list[str]) -> list[tuple[str, str]]:
    """Byte-pair encoding until each word is a single symbol."""
    symbols = [[*word[:-1], word[-1] + "</w>"] for word in sorted(set(words))]
    merges = []
    while any(len(word) > 1 for word in symbols):
        pairs = Counter(pair for word in symbols for pair in zip(word, word[1:]))
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        symbols = [merge(word, best) for word in symbols]
    return merges


def merge(word: list[str], pair: tuple[str, str]) -> list[str]:
    merged, position = [], 0
    while position < len(word):
        if tuple(word[position : position + 2]) == pair:
            merged.append("".join(pair))
            position += 2
        else:
            merged.append(word[position])
            position += 1
    return merged


def vocabulary(merges: list[tuple[str, str]]) -> list[str]:
    alphabet = byte_alphabet()
    return [*alphabet, *(symbol + "</w>" for symbol in alphabet), *("".join(pair) for pair in merges), START, END]


def vocabulary_size() -> int:
    return len(vocabulary(train_merges(WORDS)))


def write(folder: Path, length: int, pad: str) -> CLIPTokenizer:
    """Writes the files a hub folder has; `pad` is '<|endoftext|>' for SD 1.x and '!' for SD 2.x."""
    folder.mkdir(parents=True, exist_ok=True)
    merges = train_merges(WORDS)
    ids = {token: index for index, token in enumerate(vocabulary(merges))}
    (folder / "vocab.json").write_text(json.dumps(ids, ensure_ascii=False, separators=(",", ":")))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
    special = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": pad}
    (folder / "special_tokens_map.json").write_text(json.dumps(special, indent=2) + "\n")
    config = {"tokenizer_class": "CLIPTokenizer", "model_max_length": length, "add_prefix_space": False} | special
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")
    return CLIPTokenizer.from_pretrained(folder)


def encode(tokenizer: CLIPTokenizer, caption: str) -> list[int]:
    return tokenizer(caption, padding="max_length", max_length=tokenizer.model_max_length).input_ids
