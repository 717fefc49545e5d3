#include "common.h"

#include <stdlib.h>
#include <string.h>
#include <webp/decode.h>
#include <webp/demux.h>
#include <webp/encode.h>
#include <webp/mux.h>

static bool read_features(const uint8_t *data, size_t count, WebPBitstreamFeatures *features, inv_error *error) {
  switch (WebPGetFeatures(data, count, features)) {
    case VP8_STATUS_OK: return true;
    case VP8_STATUS_NOT_ENOUGH_DATA: return inv_fail(error, "truncated");
    default: return inv_fail(error, "damaged header");
  }
}

bool inv_webp_info(const uint8_t *data, size_t count, inv_picture_info *info, inv_error *error) {
  WebPBitstreamFeatures features;
  if (!read_features(data, count, &features, error)) return false;
  info->width = (uint32_t)features.width;
  info->height = (uint32_t)features.height;
  // The canvas of an animation is transparent where the first frame does not cover it.
  info->channels = features.has_alpha || features.has_animation ? 4 : 3;
  return true;
}

static bool decode_first_frame(
    const uint8_t *data, size_t count, const inv_picture_info *info, uint8_t *pixels, inv_error *error) {
  WebPAnimDecoderOptions options;
  if (!WebPAnimDecoderOptionsInit(&options)) return inv_fail(error, "another version of libwebp");
  options.color_mode = MODE_RGBA;
  WebPData file = {data, count};
  WebPAnimDecoder *decoder = WebPAnimDecoderNew(&file, &options);
  WebPAnimInfo canvas;
  uint8_t *frame;
  int milliseconds;
  bool decoded = decoder && WebPAnimDecoderGetInfo(decoder, &canvas) && canvas.canvas_width == info->width &&
                 canvas.canvas_height == info->height && WebPAnimDecoderGetNext(decoder, &frame, &milliseconds);
  // The frame belongs to the decoder.
  if (decoded) memcpy(pixels, frame, (size_t)info->width * info->height * 4);
  WebPAnimDecoderDelete(decoder);
  return decoded || inv_fail(error, "damaged or truncated animation");
}

bool inv_webp_decode(
    const uint8_t *data, size_t count, const inv_picture_info *info, uint8_t *pixels, inv_error *error) {
  WebPDecoderConfig config;
  if (!WebPInitDecoderConfig(&config)) return inv_fail(error, "another version of libwebp");
  if (!read_features(data, count, &config.input, error)) return false;
  if ((uint32_t)config.input.width != info->width || (uint32_t)config.input.height != info->height) {
    return inv_fail(error, "the header changed while it was read");
  }
  if (config.input.has_animation) return decode_first_frame(data, count, info, pixels, error);
  config.output.colorspace = info->channels == 4 ? MODE_RGBA : MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA.rgba = pixels;
  config.output.u.RGBA.stride = (int)(info->width * info->channels);
  config.output.u.RGBA.size = (size_t)info->width * info->height * info->channels;
  VP8StatusCode status = WebPDecode(data, count, &config);
  WebPFreeDecBuffer(&config.output);
  switch (status) {
    case VP8_STATUS_OK: return true;
    case VP8_STATUS_OUT_OF_MEMORY: return inv_fail(error, "out of memory");
    case VP8_STATUS_SUSPENDED:
    case VP8_STATUS_NOT_ENOUGH_DATA: return inv_fail(error, "truncated");
    default: return inv_fail(error, "damaged");
  }
}

// Wraps an encoded picture in a container with an EXIF chunk.
static bool add_exif(
    const WebPMemoryWriter *picture, const uint8_t *exif, size_t exif_count, inv_bytes *out, inv_error *error) {
  WebPData image = {picture->mem, picture->size};
  WebPData chunk = {exif, exif_count};
  WebPData file = {NULL, 0};
  WebPMux *mux = WebPMuxNew();
  bool assembled = mux && WebPMuxSetImage(mux, &image, 0) == WEBP_MUX_OK &&
                   WebPMuxSetChunk(mux, "EXIF", &chunk, 0) == WEBP_MUX_OK &&
                   WebPMuxAssemble(mux, &file) == WEBP_MUX_OK;
  WebPMuxDelete(mux);
  if (assembled) {
    // A copy, so that free releases what inv_bytes holds whatever allocator libwebp was built with.
    out->data = malloc(file.size);
    if (out->data) {
      memcpy(out->data, file.bytes, file.size);
      out->count = file.size;
    }
  }
  WebPDataClear(&file);
  return out->data || inv_fail(error, "cannot add the EXIF chunk");
}

static bool keep(const WebPMemoryWriter *picture, inv_bytes *out, inv_error *error) {
  out->data = malloc(picture->size);
  if (!out->data) return inv_fail(error, "out of memory");
  memcpy(out->data, picture->mem, picture->size);
  out->count = picture->size;
  return true;
}

bool inv_webp_encode(
    const uint8_t *rgb, uint32_t width, uint32_t height, int quality, const uint8_t *exif, size_t exif_count,
    inv_bytes *out, inv_error *error) {
  *out = (inv_bytes){NULL, 0};
  WebPConfig config;
  WebPPicture picture;
  if (!WebPConfigInit(&config) || !WebPPictureInit(&picture)) return inv_fail(error, "another version of libwebp");
  if (width > WEBP_MAX_DIMENSION || height > WEBP_MAX_DIMENSION) {
    return inv_fail(error, "over 16383 pixels wide or high");
  }
  bool lossless = quality < 0;
  if (lossless) {
    WebPConfigLosslessPreset(&config, 6);
  } else {
    config.quality = (float)quality;
    config.use_sharp_yuv = 1;  // keeps edges between saturated colours
  }
  picture.use_argb = lossless;
  picture.width = (int)width;
  picture.height = (int)height;
  WebPMemoryWriter writer;
  WebPMemoryWriterInit(&writer);
  picture.writer = WebPMemoryWrite;
  picture.custom_ptr = &writer;
  bool done = WebPPictureImportRGB(&picture, rgb, (int)width * 3) && WebPEncode(&config, &picture);
  if (!done) inv_fail(error, picture.error_code == VP8_ENC_ERROR_OUT_OF_MEMORY ? "out of memory" : "cannot be encoded");
  if (done) done = exif ? add_exif(&writer, exif, exif_count, out, error) : keep(&writer, out, error);
  WebPPictureFree(&picture);
  WebPMemoryWriterClear(&writer);
  return done;
}
