#include "common.h"

#include <png.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  const uint8_t *data;
  size_t count;
  size_t offset;
  inv_error *error;
} png_source;

static void on_error(png_structp png, png_const_charp message) {
  inv_fail((inv_error *)png_get_error_ptr(png), message);
  png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message) {
  (void)png;
  (void)message;
}

static void read_bytes(png_structp png, png_bytep out, png_size_t count) {
  png_source *source = png_get_io_ptr(png);
  if (count > source->count - source->offset) png_error(png, "truncated");
  memcpy(out, source->data + source->offset, count);
  source->offset += count;
}

// Reads the header and sets the transformations to 8-bit RGB, with alpha where the file has transparency.
static void read_header(png_structp png, png_infop info, png_source *source, inv_picture_info *out) {
  png_set_read_fn(png, source, read_bytes);
  // Only what makes up the pixels: for a text or a profile libpng would allocate and clear whatever length the chunk
  // claims, gigabytes in a file of 83 bytes, and its own limits on that only warn.
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
  png_set_user_limits(png, 1 << 20, 1 << 20);
  png_read_info(png, info);
  int colour = png_get_color_type(png, info);
  bool transparent = (colour & PNG_COLOR_MASK_ALPHA) || png_get_valid(png, info, PNG_INFO_tRNS);
  png_set_expand(png);
  png_set_scale_16(png);
  if (!(colour & PNG_COLOR_MASK_COLOR)) png_set_gray_to_rgb(png);
  png_set_interlace_handling(png);
  png_read_update_info(png, info);
  out->width = png_get_image_width(png, info);
  out->height = png_get_image_height(png, info);
  out->channels = transparent ? 4 : 3;
  if (png_get_rowbytes(png, info) != (size_t)out->width * out->channels) png_error(png, "unexpected row size");
}

bool inv_png_info(const uint8_t *data, size_t count, inv_picture_info *info, inv_error *error) {
  png_source source = {data, count, 0, error};
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, error, on_error, on_warning);
  png_infop header = png ? png_create_info_struct(png) : NULL;
  if (!header) {
    png_destroy_read_struct(&png, NULL, NULL);
    return inv_fail(error, "out of memory");
  }
  if (setjmp(png_jmpbuf(png))) {
    png_destroy_read_struct(&png, &header, NULL);
    return false;
  }
  read_header(png, header, &source, info);
  png_destroy_read_struct(&png, &header, NULL);
  return true;
}

bool inv_png_decode(
    const uint8_t *data, size_t count, const inv_picture_info *info, uint8_t *pixels, inv_error *error) {
  png_source source = {data, count, 0, error};
  inv_picture_info found;
  png_bytepp rows = malloc(info->height * sizeof *rows);
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, error, on_error, on_warning);
  png_infop header = png ? png_create_info_struct(png) : NULL;
  if (!rows || !header) {
    png_destroy_read_struct(&png, NULL, NULL);
    free(rows);
    return inv_fail(error, "out of memory");
  }
  size_t stride = (size_t)info->width * info->channels;
  for (uint32_t y = 0; y < info->height; y++) rows[y] = pixels + y * stride;
  if (setjmp(png_jmpbuf(png))) {
    png_destroy_read_struct(&png, &header, NULL);
    free(rows);
    return false;
  }
  read_header(png, header, &source, &found);
  if (memcmp(&found, info, sizeof found) != 0) png_error(png, "the header changed while it was read");
  png_read_image(png, rows);
  png_read_end(png, NULL);
  png_destroy_read_struct(&png, &header, NULL);
  free(rows);
  return true;
}

static void append_bytes(png_structp png, png_bytep bytes, png_size_t count) {
  inv_bytes *out = png_get_io_ptr(png);
  // Doubling would copy less; realloc of large blocks moves pages instead of copying them.
  uint8_t *grown = realloc(out->data, out->count + count);
  if (!grown) png_error(png, "out of memory");
  memcpy(grown + out->count, bytes, count);
  out->data = grown;
  out->count += count;
}

static void flush_nothing(png_structp png) { (void)png; }

static bool is_ascii(const char *text) {
  for (; *text; text++) {
    if ((unsigned char)*text >= 0x80) return false;
  }
  return true;
}

bool inv_png_encode(
    const uint8_t *rgb, uint32_t width, uint32_t height, const char *keyword, const char *text, inv_bytes *out,
    inv_error *error) {
  *out = (inv_bytes){NULL, 0};
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, error, on_error, on_warning);
  png_infop header = png ? png_create_info_struct(png) : NULL;
  if (!header) {
    png_destroy_write_struct(&png, NULL);
    return inv_fail(error, "out of memory");
  }
  if (setjmp(png_jmpbuf(png))) {
    png_destroy_write_struct(&png, &header);
    inv_bytes_free(out);
    return false;
  }
  png_set_write_fn(png, out, append_bytes, flush_nothing);
  png_set_IHDR(
      png, header, width, height, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
      PNG_FILTER_TYPE_DEFAULT);
  if (text) {
    png_text entry = {0};
    entry.compression = is_ascii(text) ? PNG_TEXT_COMPRESSION_NONE : PNG_ITXT_COMPRESSION_NONE;
    entry.key = (png_charp)keyword;
    entry.text = (png_charp)text;
    entry.text_length = entry.compression == PNG_TEXT_COMPRESSION_NONE ? strlen(text) : 0;
    entry.itxt_length = entry.compression == PNG_TEXT_COMPRESSION_NONE ? 0 : strlen(text);
    png_set_text(png, header, &entry, 1);
  }
  png_write_info(png, header);
  for (uint32_t y = 0; y < height; y++) png_write_row(png, rgb + (size_t)y * width * 3);
  png_write_end(png, NULL);
  png_destroy_write_struct(&png, &header);
  return true;
}
