/// Decoded samples before they become a picture: RGB, or RGB with straight alpha.
struct Raster {
  let width: Int
  let height: Int
  let channels: Int
  /// (height, width, channels)
  let samples: [UInt8]

  /// Turned and mirrored so that the scene is upright.
  func turned(_ orientation: Orientation) -> Raster {
    if orientation == .upright { return self }
    let (outWidth, outHeight) = orientation.swapsSides ? (height, width) : (width, height)
    let out = [UInt8](unsafeUninitializedCapacity: samples.count) { buffer, count in
      for y in 0..<outHeight {
        for x in 0..<outWidth {
          let (sourceX, sourceY) = orientation.source(x, y, width: width, height: height)
          let from = (sourceY * width + sourceX) * channels
          let to = (y * outWidth + x) * channels
          for c in 0..<channels { buffer[to + c] = samples[from + c] }
        }
      }
      count = samples.count
    }
    return Raster(width: outWidth, height: outHeight, channels: channels, samples: out)
  }

  /// The colours, on white where `composed` is true, else as they are stored.
  func picture(composed: Bool) -> Picture {
    if channels == 3 { return Picture(width: width, height: height, pixels: samples) }
    let pixels = [UInt8](unsafeUninitializedCapacity: width * height * 3) { buffer, count in
      for pixel in 0..<width * height {
        let alpha = composed ? UInt32(samples[4 * pixel + 3]) : 255
        for c in 0..<3 {
          let onWhite = UInt32(samples[4 * pixel + c]) * alpha + 255 * (255 - alpha)
          buffer[3 * pixel + c] = UInt8((onWhite + 127) / 255)
        }
      }
      count = width * height * 3
    }
    return Picture(width: width, height: height, pixels: pixels)
  }

  /// (height, width); nil without transparency.
  var alpha: [UInt8]? {
    channels == 3 ? nil : (0..<width * height).map { samples[4 * $0 + 3] }
  }
}

/// EXIF's orientation: how the camera was held. The raw value is the tag's.
enum Orientation: UInt16 {
  case upright = 1
  case mirrored, upsideDown, mirroredUpsideDown, transposed, turnedLeft, transversed, turnedRight

  var swapsSides: Bool { rawValue >= Orientation.transposed.rawValue }

  /// Where in the stored picture (of `width` x `height`) the upright one's pixel (x, y) is.
  func source(_ x: Int, _ y: Int, width: Int, height: Int) -> (Int, Int) {
    switch self {
    case .upright: (x, y)
    case .mirrored: (width - 1 - x, y)
    case .upsideDown: (width - 1 - x, height - 1 - y)
    case .mirroredUpsideDown: (x, height - 1 - y)
    case .transposed: (y, x)
    case .turnedLeft: (y, height - 1 - x)
    case .transversed: (width - 1 - y, height - 1 - x)
    case .turnedRight: (width - 1 - y, x)
    }
  }
}
