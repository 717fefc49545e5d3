import Errors
import Images
import Schedules

/// How pictures are cut, scaled and mirrored.
public struct PictureFraming: Sendable, Equatable, Codable {
  public enum Crop: String, Sendable, Codable, CaseIterable {
    /// The middle.
    case center
    /// Parts of at least 80 % of the side, drawn once for each picture, the middle being the first: their latents are
    /// kept, so that an encoder of seconds does not run in each step.
    case random
  }

  public var crop = Crop.center
  /// Every picture is shown mirrored too: not for things with a left and a right, such as writing.
  public var flips = false
  /// Pictures keep their shape: each goes to the bucket, of about the square's area, that cuts least of it.
  public var usesBuckets = false

  public init() {}

  static let randomCrops = 8
  /// Shortest side of a crop, as a share of the centre's.
  private static let leastShare = 0.8
}

/// A picture as the network sees it, and how much each of its pixels counts.
public struct PictureView: Sendable, Equatable {
  public let picture: Picture
  /// Grey, 255 counts fully; nil where all do.
  public let mask: Picture?

  var mirrored: PictureView { PictureView(picture: picture.mirrored, mask: mask?.mirrored) }
}

extension PictureFraming {
  /// The views of a picture: first its middle, then other parts, and all of them mirrored.
  /// - Parameters:
  ///   - side: of the square for which the model was trained, in pixels.
  ///   - multiple: what the sides of a bucket are multiples of.
  ///   - number: of the picture, so that each is cut differently.
  func views(_ whole: PictureView, side: Int, multiple: Int, number: Int, seed: UInt64) -> [PictureView] {
    let (width, height) = (whole.picture.width, whole.picture.height)
    let bucket =
      usesBuckets
      ? AspectBucket.nearest(toWidth: width, height: height, side: side, multiple: multiple)
      : AspectBucket(width: side, height: side)
    let largest = bucket.largestPart(ofWidth: width, height: height)
    var parts = [
      PictureRectangle(
        x: (width - largest.width) / 2, y: (height - largest.height) / 2, width: largest.width, height: largest.height)
    ]
    if crop == .random {
      // A stream for each picture: more pictures do not change how the first is cut.
      var noise = PhiloxNoise(seed: seed ^ Self.stream, offset: UInt32(truncatingIfNeeded: 2 * number))
      let shares = noise.integers(Self.randomCrops - 1, in: Int(Self.leastShare * 1000)..<1001)
      let places = noise.integers(2 * (Self.randomCrops - 1), in: 0..<1 << 16)
      for (index, share) in shares.enumerated() {
        let (w, h) = (max(1, largest.width * share / 1000), max(1, largest.height * share / 1000))
        parts.append(
          PictureRectangle(
            x: places[2 * index] * (width - w + 1) >> 16, y: places[2 * index + 1] * (height - h + 1) >> 16, width: w,
            height: h))
      }
    }
    let views = parts.map { part in
      PictureView(picture: part.cut(whole.picture, to: bucket), mask: whole.mask.map { part.cut($0, to: bucket) })
    }
    return flips ? views + views.map(\.mirrored) : views
  }

  private static let stream: UInt64 = 0x6372_6f70  // "crop" in ASCII
}

private struct PictureRectangle {
  let (x, y, width, height): (Int, Int, Int, Int)

  init(x: Int, y: Int, width: Int, height: Int) { (self.x, self.y, self.width, self.height) = (x, y, width, height) }

  func cut(_ picture: Picture, to bucket: AspectBucket) -> Picture {
    picture.cropped(x: x, y: y, width: width, height: height).resized(width: bucket.width, height: bucket.height)
  }
}

/// A size of pictures, about as large as the square for which a model was trained.
struct AspectBucket: Sendable, Equatable {
  let width: Int
  let height: Int

  /// Longest side of a bucket, as a multiple of its shortest.
  private static let longest = 2.0

  /// All buckets whose area is at most the square's and would not be with one multiple more, squares first.
  static func all(side: Int, multiple: Int) -> [AspectBucket] {
    let wide = stride(from: multiple, through: side, by: multiple).reversed().map { height in
      AspectBucket(width: side * side / height / multiple * multiple, height: height)
    }.filter { Double($0.width) <= longest * Double($0.height) }
    return wide + wide.filter { $0.width != $0.height }.map { AspectBucket(width: $0.height, height: $0.width) }
  }

  /// The bucket whose shape is nearest, by the ratio of the ratios.
  static func nearest(toWidth width: Int, height: Int, side: Int, multiple: Int) -> AspectBucket {
    func distance(_ bucket: AspectBucket) -> Double {
      let ratio = Double(bucket.width * height) / Double(bucket.height * width)
      return max(ratio, 1 / ratio)
    }
    let square = AspectBucket(width: side, height: side)
    return all(side: side, multiple: multiple).min { distance($0) < distance($1) } ?? square
  }

  /// The largest part of a picture with the bucket's shape, in whole pixels.
  func largestPart(ofWidth width: Int, height: Int) -> (width: Int, height: Int) {
    width * self.height > height * self.width
      ? (max(1, height * self.width / self.height), height) : (width, max(1, width * self.height / self.width))
  }
}

extension Picture {
  /// Left and right exchanged.
  var mirrored: Picture {
    var out = self
    for y in 0..<height {
      for x in 0..<width {
        for channel in 0..<3 {
          out.pixels[(y * width + x) * 3 + channel] = pixels[(y * width + width - 1 - x) * 3 + channel]
        }
      }
    }
    return out
  }
}
