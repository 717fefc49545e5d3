import Glibc

/// How a new pixel is weighed from the old ones. All are widened when the picture shrinks, so that nothing aliases.
public enum ResizeFilter: Sendable, CaseIterable {
  /// The mean of the area.
  case box
  case bilinear
  case bicubic
  /// Three lobes of sinc: the sharpest.
  case lanczos

  /// Half its width, in pixels of the smaller picture.
  var support: Double {
    switch self {
    case .box: 0.5
    case .bilinear: 1
    case .bicubic: 2
    case .lanczos: 3
    }
  }

  /// The weight at distance `x`.
  func weight(_ x: Double) -> Double {
    switch self {
    case .box: return x > -0.5 && x <= 0.5 ? 1 : 0
    case .bilinear: return max(0, 1 - abs(x))
    case .bicubic:
      let (a, x) = (-0.5, abs(x))
      if x < 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
      return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0
    case .lanczos: return x >= -3 && x < 3 ? Self.sinc(x) * Self.sinc(x / 3) : 0
    }
  }

  private static func sinc(_ x: Double) -> Double { x == 0 ? 1 : sin(x * .pi) / (x * .pi) }
}

extension Picture {
  /// The picture at another size; sides are scaled apart. Equal to the `resize` of Pillow 11, bit for bit.
  public func resized(width newWidth: Int, height newHeight: Int, filter: ResizeFilter = .lanczos) -> Picture {
    precondition(newWidth > 0 && newHeight > 0)
    var (samples, rowWidth) = (pixels, width)
    if newWidth != width {
      samples = ResizePass(from: width, to: newWidth, filter).applyToRows(samples, width: width, height: height)
      rowWidth = newWidth
    }
    if newHeight != height {
      samples = ResizePass(from: height, to: newHeight, filter).applyToColumns(samples, rowBytes: rowWidth * 3)
    }
    return Picture(width: newWidth, height: newHeight, pixels: samples)
  }

  /// The picture at a square size.
  public func resized(to side: Int, filter: ResizeFilter = .lanczos) -> Picture {
    resized(width: side, height: side, filter: filter)
  }

  /// The part of `width` x `height` pixels whose top left corner is at (x, y).
  public func cropped(x: Int, y: Int, width newWidth: Int, height newHeight: Int) -> Picture {
    precondition(x >= 0 && y >= 0 && newWidth > 0 && newHeight > 0 && x + newWidth <= width && y + newHeight <= height)
    var out: [UInt8] = []
    out.reserveCapacity(newWidth * newHeight * 3)
    for row in y..<y + newHeight { out += pixels[(row * width + x) * 3..<(row * width + x + newWidth) * 3] }
    return Picture(width: newWidth, height: newHeight, pixels: out)
  }

  /// The largest square from the middle.
  public var centerSquareCropped: Picture {
    let side = min(width, height)
    return cropped(x: (width - side) / 2, y: (height - side) / 2, width: side, height: side)
  }
}

/// The weights of one direction, in fixed point: integer sums give the same bytes on every machine.
private struct ResizePass {
  private struct Window {
    let start: Int
    let weights: [Int32]
  }

  /// 32 bits less 8 of the sample and 2 for weights over 1 and below 0.
  private static let fractionBits: Int32 = 32 - 8 - 2
  private let windows: [Window]

  init(from oldSize: Int, to newSize: Int, _ filter: ResizeFilter) {
    let scale = Double(oldSize) / Double(newSize)
    let stretch = max(1, scale)
    let support = filter.support * stretch
    windows = (0..<newSize).map { index in
      let center = (Double(index) + 0.5) * scale
      let start = max(0, Int(center - support + 0.5))
      let end = min(oldSize, Int(center + support + 0.5))
      let weights = (start..<end).map { filter.weight((Double($0) - center + 0.5) * (1 / stretch)) }
      let sum = weights.reduce(0, +)
      let fixed = weights.map { weight in
        let scaled = (sum == 0 ? weight : weight / sum) * Double(1 << Self.fractionBits)
        return Int32(scaled < 0 ? scaled - 0.5 : scaled + 0.5)
      }
      return Window(start: start, weights: fixed)
    }
  }

  private static func rounded(_ sum: Int32) -> UInt8 { UInt8(clamping: sum >> fractionBits) }
  private static let half: Int32 = 1 << (fractionBits - 1)

  /// (height, width, 3) -> (height, new width, 3)
  func applyToRows(_ samples: [UInt8], width: Int, height: Int) -> [UInt8] {
    let outCount = windows.count * height * 3
    return samples.withUnsafeBufferPointer { input in
      [UInt8](unsafeUninitializedCapacity: outCount) { output, count in
        for y in 0..<height {
          let row = y * width * 3
          for (x, window) in windows.enumerated() {
            var (red, green, blue) = (Self.half, Self.half, Self.half)
            var offset = row + window.start * 3
            for weight in window.weights {
              red &+= Int32(input[offset]) &* weight
              green &+= Int32(input[offset + 1]) &* weight
              blue &+= Int32(input[offset + 2]) &* weight
              offset += 3
            }
            let target = (y * windows.count + x) * 3
            output[target] = Self.rounded(red)
            output[target + 1] = Self.rounded(green)
            output[target + 2] = Self.rounded(blue)
          }
        }
        count = outCount
      }
    }
  }

  /// (height, row bytes) -> (new height, row bytes)
  func applyToColumns(_ samples: [UInt8], rowBytes: Int) -> [UInt8] {
    let outCount = windows.count * rowBytes
    var sums = [Int32](repeating: 0, count: rowBytes)
    return samples.withUnsafeBufferPointer { input in
      [UInt8](unsafeUninitializedCapacity: outCount) { output, count in
        for (y, window) in windows.enumerated() {
          sums.withUnsafeMutableBufferPointer { sums in
            sums.update(repeating: Self.half)
            for (index, weight) in window.weights.enumerated() {
              let row = (window.start + index) * rowBytes
              for x in 0..<rowBytes { sums[x] &+= Int32(input[row + x]) &* weight }
            }
            for x in 0..<rowBytes { output[y * rowBytes + x] = Self.rounded(sums[x]) }
          }
        }
        count = outCount
      }
    }
  }
}
