#include "common.h"

#include <jerror.h>
#include <jpeglib.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

// A progressive file may ask for any number of passes over the picture; real ones have about ten.
enum { SCAN_LIMIT = 100 };

typedef struct {
  struct jpeg_error_mgr base;  // first: libjpeg hands it back
  jmp_buf jump;
  inv_error *error;
} error_manager;

static void on_error(j_common_ptr codec) {
  error_manager *manager = (error_manager *)codec->err;
  char message[JMSG_LENGTH_MAX];
  codec->err->format_message(codec, message);
  inv_fail(manager->error, message);
  longjmp(manager->jump, 1);
}

static void on_message(j_common_ptr codec, int level) {
  if (level >= 0) return;
  // Warnings after which pixels are invented are errors; stray bytes between segments are not.
  switch (codec->err->msg_code) {
    case JWRN_JPEG_EOF:
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_MUST_RESYNC: on_error(codec);
  }
}

static void on_progress(j_common_ptr codec) {
  error_manager *manager = (error_manager *)codec->err;
  if (((j_decompress_ptr)codec)->input_scan_number > SCAN_LIMIT) {
    inv_fail(manager->error, "too many scans");
    longjmp(manager->jump, 1);
  }
}

static void set_error_handlers(error_manager *manager, inv_error *error) {
  jpeg_std_error(&manager->base);
  manager->base.error_exit = on_error;
  manager->base.emit_message = on_message;
  manager->error = error;
}

static void read_header(j_decompress_ptr codec, const uint8_t *data, size_t count, inv_picture_info *info) {
  jpeg_create_decompress(codec);
  jpeg_mem_src(codec, data, count);
  jpeg_read_header(codec, TRUE);
  info->width = codec->image_width;
  info->height = codec->image_height;
  info->channels = 3;
}

bool inv_jpeg_info(const uint8_t *data, size_t count, inv_picture_info *info, inv_error *error) {
  struct jpeg_decompress_struct codec = {0};
  error_manager manager;
  set_error_handlers(&manager, error);
  codec.err = &manager.base;
  if (setjmp(manager.jump)) {
    jpeg_destroy_decompress(&codec);
    return false;
  }
  read_header(&codec, data, count, info);
  jpeg_destroy_decompress(&codec);
  return true;
}

// Inks are stored inverted (255 is no ink), as Adobe began it; like other readers, this is taken for granted.
static void cmyk_to_rgb(const uint8_t *cmyk, uint8_t *rgb, uint32_t width) {
  for (uint32_t x = 0; x < width; x++) {
    for (int c = 0; c < 3; c++) rgb[3 * x + c] = (uint8_t)((cmyk[4 * x + c] * cmyk[4 * x + 3] + 127) / 255);
  }
}

bool inv_jpeg_decode(
    const uint8_t *data, size_t count, const inv_picture_info *info, uint8_t *pixels, inv_error *error) {
  struct jpeg_decompress_struct codec = {0};
  struct jpeg_progress_mgr progress = {0};
  error_manager manager;
  inv_picture_info found;
  set_error_handlers(&manager, error);
  codec.err = &manager.base;
  if (setjmp(manager.jump)) {
    jpeg_destroy_decompress(&codec);
    return false;
  }
  read_header(&codec, data, count, &found);
  if (memcmp(&found, info, sizeof found) != 0) {
    jpeg_destroy_decompress(&codec);
    return inv_fail(error, "the header changed while it was read");
  }
  progress.progress_monitor = on_progress;
  codec.progress = &progress;
  bool inks = codec.jpeg_color_space == JCS_CMYK || codec.jpeg_color_space == JCS_YCCK;
  codec.out_color_space = inks ? JCS_CMYK : JCS_RGB;
  jpeg_start_decompress(&codec);
  JSAMPARRAY row = NULL;
  if (inks) row = codec.mem->alloc_sarray((j_common_ptr)&codec, JPOOL_IMAGE, info->width * 4, 1);
  while (codec.output_scanline < codec.output_height) {
    uint8_t *target = pixels + (size_t)codec.output_scanline * info->width * 3;
    if (inks) {
      jpeg_read_scanlines(&codec, row, 1);
      cmyk_to_rgb(row[0], target, info->width);
    } else {
      jpeg_read_scanlines(&codec, &target, 1);
    }
  }
  jpeg_finish_decompress(&codec);
  jpeg_destroy_decompress(&codec);
  return true;
}

// "Exif\0\0", then the TIFF structure, in an APP1 segment.
static void write_exif(j_compress_ptr codec, const uint8_t *exif, size_t count) {
  static const char prefix[6] = "Exif\0";
  jpeg_write_m_header(codec, JPEG_APP0 + 1, (unsigned)(sizeof prefix + count));
  for (size_t i = 0; i < sizeof prefix; i++) jpeg_write_m_byte(codec, prefix[i]);
  for (size_t i = 0; i < count; i++) jpeg_write_m_byte(codec, exif[i]);
}

bool inv_jpeg_encode(
    const uint8_t *rgb, uint32_t width, uint32_t height, int quality, const uint8_t *exif, size_t exif_count,
    inv_bytes *out, inv_error *error) {
  struct jpeg_compress_struct codec = {0};
  error_manager manager;
  // libjpeg keeps the addresses of these two and stores the buffer there at the end, and each time that it grows.
  unsigned char *buffer = NULL;
  unsigned long size = 0;
  *out = (inv_bytes){NULL, 0};
  set_error_handlers(&manager, error);
  codec.err = &manager.base;
  if (setjmp(manager.jump)) {
    jpeg_destroy_compress(&codec);
    free(*(unsigned char *volatile *)&buffer);
    return false;
  }
  jpeg_create_compress(&codec);
  jpeg_mem_dest(&codec, &buffer, &size);
  codec.image_width = width;
  codec.image_height = height;
  codec.input_components = 3;
  codec.in_color_space = JCS_RGB;
  jpeg_set_defaults(&codec);
  jpeg_set_quality(&codec, quality, TRUE);
  codec.optimize_coding = TRUE;
  if (quality >= 90) codec.comp_info[0].h_samp_factor = codec.comp_info[0].v_samp_factor = 1;  // full colour resolution
  jpeg_start_compress(&codec, TRUE);
  if (exif) write_exif(&codec, exif, exif_count);
  while (codec.next_scanline < height) {
    JSAMPROW row = (JSAMPROW)(rgb + (size_t)codec.next_scanline * width * 3);
    jpeg_write_scanlines(&codec, &row, 1);
  }
  jpeg_finish_compress(&codec);
  jpeg_destroy_compress(&codec);
  *out = (inv_bytes){buffer, size};
  return true;
}
