import CImageCodecs
import Errors
import Files

/// What a picture file may cost.
public struct PictureLimits: Sendable {
  public var bytes: Int
  public var pixels: Int

  public init(bytes: Int = 64 << 20, pixels: Int = 64_000_000) {
    self.bytes = bytes
    self.pixels = pixels
  }
}

/// A picture that came from a file, upright (its EXIF orientation is applied).
public struct DecodedPicture: Sendable {
  /// What becomes of transparent pixels.
  public enum Transparency: Sendable {
    /// They show white behind them, as a viewer would.
    case onWhite
    /// Their colours are taken as they are stored: for data hidden in pixels.
    case ignored
  }

  public let picture: Picture
  /// (height, width), 255 is opaque; nil when the file has no transparency.
  public let alpha: [UInt8]?
  public let format: PictureFormat

  /// Decodes a PNG, JPEG or WebP file; of an animation the first frame. Colours are taken as sRGB, profiles are not
  /// applied.
  /// - Parameter source: the file's name, for messages.
  /// - Throws: `.badPicture` with the source and the reason.
  public init(
    _ bytes: [UInt8], source: String, transparency: Transparency = .onWhite, limits: PictureLimits = PictureLimits()
  ) throws(InversionError) {
    func refusal(_ reason: String) -> InversionError { InversionError(.badPicture, "'\(source)': \(reason)") }
    guard bytes.count <= limits.bytes else {
      throw refusal("larger than \(limits.bytes) bytes; give a smaller picture")
    }
    guard let format = PictureFormat(sniffing: bytes) else {
      throw refusal("no PNG, JPEG or WebP picture; convert it to one of them")
    }
    let codec = Codec(format)
    var info = inv_picture_info()
    var error = inv_error()
    guard codec.readInfo(bytes, bytes.count, &info, &error) else {
      throw refusal("damaged \(format.rawValue) picture: \(error.message); save it again or leave it out")
    }
    let (width, height, channels) = (Int(info.width), Int(info.height), Int(info.channels))
    guard width > 0, height > 0, width <= limits.pixels / height else {
      throw refusal("\(width)x\(height) pixels, over the limit of \(limits.pixels); give a smaller picture")
    }
    var decoded = false
    let pixels = [UInt8](unsafeUninitializedCapacity: width * height * channels) { buffer, count in
      // A file that breaks off leaves rows unwritten.
      buffer.initialize(repeating: 0)
      decoded = codec.decode(bytes, bytes.count, &info, buffer.baseAddress, &error)
      count = buffer.count
    }
    guard decoded else {
      throw refusal("damaged \(format.rawValue) picture: \(error.message); save it again or leave it out")
    }

    let orientation = PictureContainer(bytes, format).exif.flatMap { Exif($0)?.orientation } ?? .upright
    let straight = Raster(width: width, height: height, channels: channels, samples: pixels).turned(orientation)
    self.picture = straight.picture(composed: transparency == .onWhite)
    self.alpha = straight.alpha
    self.format = format
  }

  /// Reads and decodes a file.
  /// - Throws: `.fileUnavailable` or `.badPicture`, naming the file.
  public init(
    path: String, transparency: Transparency = .onWhite, limits: PictureLimits = PictureLimits()
  ) throws(InversionError) {
    let bytes: [UInt8]
    do {
      bytes = try readFile(path: path, limit: limits.bytes)
    } catch let error as InversionError {
      throw error
    } catch {
      throw InversionError(.internal, "'\(path)': \(error)")
    }
    try self.init(bytes, source: path, transparency: transparency, limits: limits)
  }
}

/// The two C functions of a format.
private struct Codec {
  let readInfo:
    (UnsafePointer<UInt8>?, Int, UnsafeMutablePointer<inv_picture_info>?, UnsafeMutablePointer<inv_error>?) -> Bool
  let decode:
    (
      UnsafePointer<UInt8>?, Int, UnsafePointer<inv_picture_info>?, UnsafeMutablePointer<UInt8>?,
      UnsafeMutablePointer<inv_error>?
    ) -> Bool

  init(_ format: PictureFormat) {
    switch format {
    case .png: (readInfo, decode) = (inv_png_info, inv_png_decode)
    case .jpeg: (readInfo, decode) = (inv_jpeg_info, inv_jpeg_decode)
    case .webp: (readInfo, decode) = (inv_webp_info, inv_webp_decode)
    }
  }
}

extension inv_error {
  var message: String {
    withUnsafeBytes(of: text) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
  }
}
