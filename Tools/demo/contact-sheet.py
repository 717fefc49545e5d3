#!/usr/bin/env python3
"""Puts pictures side by side on one sheet: `contact-sheet.py OUT.png 'a.png b.png' 'c.png'`, one argument a row.

Reads and writes 8-bit PNG, not interlaced, with Python's standard library alone, so that the demo needs nothing else.
A picture that it cannot read leaves its place empty.
"""

import struct
import sys
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CELL = 128  # pixels, the side of a picture on the sheet
GAP = 8
PAPER = (255, 255, 255)
CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}  # PNG colour type -> samples a pixel


def chunks(data: bytes):
    position = 8
    while position + 8 <= len(data):
        length, kind = struct.unpack(">I4s", data[position : position + 8])
        yield kind, data[position + 8 : position + 8 + length]
        position += 12 + length


def unfilter(raw: bytes, width: int, height: int, channels: int) -> list[bytearray]:
    """The rows of a decompressed picture (PNG specification, section 9)."""
    stride = width * channels
    rows, previous = [], bytearray(stride)
    for y in range(height):
        start = y * (stride + 1)
        kind, row = raw[start], bytearray(raw[start + 1 : start + 1 + stride])
        for i in range(stride):
            left = row[i - channels] if i >= channels else 0
            corner = previous[i - channels] if i >= channels else 0
            row[i] = (row[i] + prediction(kind, left, previous[i], corner)) & 255
        rows.append(row)
        previous = row
    return rows


def prediction(kind: int, left: int, above: int, corner: int) -> int:
    if kind == 4:
        estimate = left + above - corner
        return min((left, above, corner), key=lambda value: abs(estimate - value))
    return (0, left, above, (left + above) // 2)[kind]


def read(path: str) -> list[list[tuple[int, int, int]]]:
    """The picture's pixels on white paper, row by row."""
    with open(path, "rb") as file:
        data = file.read()
    if data[:8] != SIGNATURE:
        raise ValueError("not a PNG file")
    parts = list(chunks(data))
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", parts[0][1][:13])
    if depth != 8 or colour not in CHANNELS or interlaced:
        raise ValueError("neither 8-bit grey nor 8-bit colour, or interlaced")
    raw = zlib.decompress(b"".join(body for kind, body in parts if kind == b"IDAT"))
    count = CHANNELS[colour]
    rows = unfilter(raw, width, height, count)
    return [[pixel(row[x * count : (x + 1) * count], count) for x in range(width)] for row in rows]


def pixel(samples: bytearray, channels: int) -> tuple[int, int, int]:
    red, green, blue = samples[:3] if channels >= 3 else samples[:1] * 3
    alpha = samples[-1] if channels in (2, 4) else 255
    return tuple((value * alpha + paper * (255 - alpha)) // 255 for value, paper in zip((red, green, blue), PAPER))


def place(sheet: list[list[tuple[int, int, int]]], picture, left: int, top: int) -> None:
    height, width = len(picture), len(picture[0])
    for y in range(CELL):
        for x in range(CELL):
            sheet[top + y][left + x] = picture[y * height // CELL][x * width // CELL]


def write(path: str, sheet: list[list[tuple[int, int, int]]]) -> None:
    raw = b"".join(b"\0" + bytes(value for pixel in row for value in pixel) for row in sheet)

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", len(sheet[0]), len(sheet), 8, 2, 0, 0, 0)
    with open(path, "wb") as file:
        file.write(SIGNATURE + chunk(b"IHDR", header))
        file.write(chunk(b"IDAT", zlib.compress(raw, 9)) + chunk(b"IEND", b""))


def main() -> int:
    if len(sys.argv) < 3:
        print(__doc__, file=sys.stderr)
        return 64
    rows = [argument.split() for argument in sys.argv[2:]]
    columns = max(map(len, rows))
    size = CELL + GAP
    sheet = [[PAPER] * (columns * size + GAP) for _ in range(len(rows) * size + GAP)]
    for y, row in enumerate(rows):
        for x, path in enumerate(row):
            try:
                place(sheet, read(path), GAP + x * size, GAP + y * size)
            except (OSError, ValueError, IndexError, struct.error, zlib.error) as error:
                print(f"contact-sheet: '{path}': {error}; its place stays empty", file=sys.stderr)
    write(sys.argv[1], sheet)
    return 0


if __name__ == "__main__":
    sys.exit(main())
