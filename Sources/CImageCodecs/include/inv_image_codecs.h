// libpng, libjpeg-turbo and libwebp behind flat calls. No longjmp leaves this target, no memory changes its owner save
// in inv_bytes. Every function returns true, or false with a reason in `error`.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { INV_ERROR_SIZE = 200 };

typedef struct {
  char text[INV_ERROR_SIZE];
} inv_error;

// What a header says, before any pixel is decoded.
typedef struct {
  uint32_t width;
  uint32_t height;
  uint32_t channels;  // 3: RGB, 4: RGB and straight alpha
} inv_picture_info;

// An encoded file; release it with inv_bytes_free.
typedef struct {
  uint8_t *data;
  size_t count;
} inv_bytes;

void inv_bytes_free(inv_bytes *bytes);

// Decoding: first the info, then, when its size is acceptable, the pixels: (height, width, channels), 8 bits each.
// `pixels` has width * height * channels bytes. An animation gives its first frame.
bool inv_png_info(const uint8_t *data, size_t count, inv_picture_info *info, inv_error *error);
bool inv_png_decode(
    const uint8_t *data, size_t count, const inv_picture_info *info, uint8_t *pixels, inv_error *error);
bool inv_jpeg_info(const uint8_t *data, size_t count, inv_picture_info *info, inv_error *error);
bool inv_jpeg_decode(
    const uint8_t *data, size_t count, const inv_picture_info *info, uint8_t *pixels, inv_error *error);
bool inv_webp_info(const uint8_t *data, size_t count, inv_picture_info *info, inv_error *error);
bool inv_webp_decode(
    const uint8_t *data, size_t count, const inv_picture_info *info, uint8_t *pixels, inv_error *error);

// Encoding: `rgb` is (height, width, 3).
// PNG: `keyword` and `text` (UTF-8, both null for none) become a tEXt chunk when `text` is ASCII, else an iTXt chunk.
bool inv_png_encode(
    const uint8_t *rgb, uint32_t width, uint32_t height, const char *keyword, const char *text, inv_bytes *out,
    inv_error *error);
// `exif` is a TIFF structure, without the "Exif\0\0" that JPEG puts before it; null for none.
bool inv_jpeg_encode(
    const uint8_t *rgb, uint32_t width, uint32_t height, int quality, const uint8_t *exif, size_t exif_count,
    inv_bytes *out, inv_error *error);
// `quality` 0...100, or below 0 for lossless.
bool inv_webp_encode(
    const uint8_t *rgb, uint32_t width, uint32_t height, int quality, const uint8_t *exif, size_t exif_count,
    inv_bytes *out, inv_error *error);
