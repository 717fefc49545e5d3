import Kernels
import Tensors

extension Tape {
  /// GroupNorm as one scale and shift per picture and channel, its statistics taken now. x may be two activations side
  /// by side, of which a group can straddle the border.
  func deferredGroupNorm(_ x: Activation, _ norm: NormParameters, groups: Int) -> Activation {
    let parts = (x.deferred as? ConcatenatedRows).map { [$0.a, $0.b] } ?? [x]
    let moments = parts.map { ChannelStatistics($0) }
    let affine = parts.map {
      AffineRows.Part(x: $0, scale: allocate([$0.batch, $0.channels]), shift: allocate([$0.batch, $0.channels]))
    }
    var statistics: [(mean: Double, rstd: Double)] = []
    let perGroup = x.channels / groups
    let gamma = norm.weight.pointer.assumingMemoryBound(to: Float.self)
    let beta = norm.bias.pointer.assumingMemoryBound(to: Float.self)
    // Where channel c of all lies: the part, and the channel in it.
    let places = parts.indices.flatMap { part in (0..<parts[part].channels).map { (part, $0) } }
    for image in 0..<x.batch {
      for group in 0..<groups {
        let channels = group * perGroup..<(group + 1) * perGroup
        let members = places[channels].map { moments[$0.0][image, $0.1] }
        let (mean, variance) = ChannelStatistics.combine(members)
        let rstd = 1 / (variance + norm.eps).squareRoot()
        statistics.append((mean, rstd))
        for channel in channels {
          let (part, inside) = places[channel]
          let index = image * parts[part].channels + inside
          let scale = rstd * Double(gamma[channel])
          affine[part].scale.pointer.assumingMemoryBound(to: Float.self)[index] = Float(scale)
          affine[part].shift.pointer.assumingMemoryBound(to: Float.self)[index] =
            Float(Double(beta[channel]) - mean * scale)
        }
      }
    }
    guard let slot = slot(of: x) else {
      return affineRows(x.shape, AffineRows(tape: self, parts: affine, silu: false, gradient: nil), slot: nil)
    }
    let gradient = NormGradient(of: parts, affine, norm, groups: groups, statistics, on: self)
    return affineRows(x.shape, AffineRows(tape: self, parts: affine, silu: false, gradient: gradient), slot: slot)
  }

  /// SiLU of a GroupNorm that waits.
  func silu(_ shape: [Int], of norm: AffineRows) -> Activation {
    affineRows(
      shape, AffineRows(tape: self, parts: norm.parts, silu: true, gradient: norm.gradient),
      slot: norm.gradient.map { _ in newSlot() })
  }

  private func affineRows(_ shape: [Int], _ rows: AffineRows, slot: Int?) -> Activation {
    let y = Activation(shape: shape, deferred: rows, slot: slot)
    if let gradient = rows.gradient {
      record(y, AffineRecord(gradient: gradient, silu: rows.silu))
    }
    return y
  }
}

/// Of each picture and channel, two sums over the pixels: `body` adds those of a few rows of a picture, a piece of
/// them a thread.
func channelSums(
  batch: Int, pixels: Int, channels: Int,
  _ body: (Int, Range<Int>, UnsafeMutablePointer<Double>, UnsafeMutablePointer<Double>) -> Void
) -> [(first: Double, second: Double)] {
  let pieces = max(1, min(16, pixels * channels / 65_536))
  let perPiece = 2 * channels
  let sums = UnsafeMutablePointer<Double>.allocate(capacity: batch * pieces * perPiece)
  defer { sums.deallocate() }
  sums.initialize(repeating: 0, count: batch * pieces * perPiece)
  // Unsafe: each piece has its own run of `sums`.
  nonisolated(unsafe) let written = sums
  Parallel.forEach(batch * pieces) { index in
    let (image, piece) = (index / pieces, index % pieces)
    let rows = image * pixels + pixels * piece / pieces..<image * pixels + pixels * (piece + 1) / pieces
    body(image, rows, written + index * perPiece, written + index * perPiece + channels)
  }
  return (0..<batch * channels).map { index in
    let (image, channel) = (index / channels, index % channels)
    var total = (first: 0.0, second: 0.0)
    for piece in 0..<pieces {
      let start = sums + (image * pieces + piece) * perPiece + channel
      total.first += start[0]
      total.second += start[channels]
    }
    return total
  }
}

/// Of each picture and channel: how many values, their sum and that of their squares, both about an origin near them so
/// that the squares do not cancel where the mean is large.
private struct ChannelStatistics {
  struct Moments {
    let count: Double
    let origin: Double
    let sum: Double
    let squares: Double
  }

  private let channels: Int
  private let moments: [Moments]

  /// Reads x (B, …, C) once, a piece of rows a thread.
  init(_ x: Activation) {
    let (pixels, channels, source) = (x.rows / x.batch, x.channels, x.pointer)
    self.channels = channels
    func origin(_ image: Int) -> UnsafeMutableRawPointer { source + image * pixels * channels * 4 }
    let sums = channelSums(batch: x.batch, pixels: pixels, channels: channels) { image, rows, sum, squares in
      ChannelMoments.add(
        source + rows.lowerBound * channels * 4, rows: rows.count, channels: channels, origin: origin(image), sum: sum,
        squares: squares)
    }
    moments = sums.enumerated().map { index, sums in
      let first = origin(index / channels).assumingMemoryBound(to: Float.self)[index % channels]
      return Moments(count: Double(pixels), origin: Double(first), sum: sums.first, squares: sums.second)
    }
  }

  subscript(image: Int, channel: Int) -> Moments { moments[image * channels + channel] }

  /// Mean and variance of all values of several channels.
  static func combine(_ members: [Moments]) -> (mean: Double, variance: Double) {
    let count = members.reduce(0) { $0 + $1.count }
    let mean = members.reduce(0) { $0 + $1.count * $1.origin + $1.sum } / count
    let squares = members.reduce(0.0) { total, m in
      let distance = m.origin - mean
      return total + m.squares + 2 * distance * m.sum + m.count * distance * distance
    }
    return (mean, max(0, squares / count))
  }
}
