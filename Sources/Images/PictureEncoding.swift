import CImageCodecs
import Errors

extension Picture {
  /// The picture as a file.
  /// - Parameters:
  ///   - quality: 0...100 of a lossy file; nil for lossless PNG and WebP, and for JPEG at 95. PNG is always lossless.
  ///   - parameters: text that the file carries: PNG's text chunk `parameters`, EXIF's user comment in WebP and JPEG.
  /// - Throws: `.invalidArgument` when the quality, the size or the text's length does not fit the format.
  public func encoded(
    as format: PictureFormat, quality: Int? = nil, parameters: String? = nil
  ) throws(InversionError) -> [UInt8] {
    if let quality, !(0...100).contains(quality) {
      throw InversionError(.invalidArgument, "quality '\(quality)': give 0 to 100")
    }
    // A zero would end the text in C, and PNG does not allow it.
    let text = parameters.map { $0.replacing("\0", with: "") }
    let exif = text.map(Exif.encode(comment:)) ?? []
    if format == .jpeg, exif.count > Self.jpegExifLimit {
      throw InversionError(
        .invalidArgument, "parameters of \(exif.count) bytes do not fit into a JPEG file; choose webp or png")
    }
    var out = inv_bytes()
    var error = inv_error()
    let (width, height) = (UInt32(width), UInt32(height))
    let done =
      switch format {
      case .png: encodePNG(width, height, text, &out, &error)
      case .webp:
        inv_webp_encode(pixels, width, height, Int32(quality ?? -1), text == nil ? nil : exif, exif.count, &out, &error)
      case .jpeg:
        inv_jpeg_encode(pixels, width, height, Int32(quality ?? 95), text == nil ? nil : exif, exif.count, &out, &error)
      }
    guard done, let data = out.data else {
      throw InversionError(
        .invalidArgument, "the picture of \(width)x\(height) as \(format.rawValue): \(error.message)")
    }
    defer { inv_bytes_free(&out) }
    return Array(UnsafeBufferPointer(start: data, count: out.count))
  }

  /// The picture as a PNG file that carries a text.
  /// - Parameter keyword: at most 79 characters of ASCII, as PNG wants them.
  /// - Throws: `.invalidArgument` when PNG cannot hold them.
  public func encodedPNG(keyword: String, text: String) throws(InversionError) -> [UInt8] {
    var out = inv_bytes()
    var error = inv_error()
    guard inv_png_encode(pixels, UInt32(width), UInt32(height), keyword, text, &out, &error), let data = out.data else {
      throw InversionError(.invalidArgument, "the picture of \(width)x\(height) as png: \(error.message)")
    }
    defer { inv_bytes_free(&out) }
    return Array(UnsafeBufferPointer(start: data, count: out.count))
  }

  /// A JPEG segment's length has 16 bits and counts itself and the six bytes before the structure.
  private static let jpegExifLimit = 65535 - 2 - Exif.prefix.count

  private func encodePNG(
    _ width: UInt32, _ height: UInt32, _ text: String?, _ out: inout inv_bytes, _ error: inout inv_error
  ) -> Bool {
    guard let text else { return inv_png_encode(pixels, width, height, nil, nil, &out, &error) }
    return inv_png_encode(pixels, width, height, parametersKeyword, text, &out, &error)
  }
}
