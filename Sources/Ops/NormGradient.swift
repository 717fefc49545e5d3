import Kernels
import Tensors

/// What the way back through a deferred GroupNorm needs: its inputs, and their statistics.
struct NormGradient {
  /// The inputs whose channels lie side by side.
  let parts: [Part]
  let norm: NormParameters
  let groups: Int
  /// (B * groups)
  let statistics: [(mean: Double, rstd: Double)]

  struct Part {
    /// x, or xhat = (x - mean) * rstd in int8: its channels are alike, those of x need not be.
    let saved: SavedRows
    let isNormal: Bool
    let slot: Int?
    /// (B, channels): what SiLU sees is saved * scale + shift.
    let scale: Activation
    let shift: Activation
  }

  init(
    of parts: [Activation], _ affine: [AffineRows.Part], _ norm: NormParameters, groups: Int,
    _ statistics: [(mean: Double, rstd: Double)], on tape: Tape
  ) {
    (self.norm, self.groups, self.statistics) = (norm, groups, statistics)
    var start = 0
    self.parts = zip(parts, affine).map { x, affine in
      defer { start += x.channels }
      guard SavedRows.isInt8(x, on: tape) else {
        return Part(
          saved: SavedRows(x, on: tape), isNormal: false, slot: x.slot, scale: affine.scale, shift: affine.shift)
      }
      let vectors = (0..<4).map { _ in tape.allocate([x.batch, x.channels]) }
      let values = vectors.map { $0.pointer.assumingMemoryBound(to: Float.self) }
      for index in 0..<x.batch * x.channels {
        let channel = start + index % x.channels
        let group = statistics[index / x.channels * groups + channel / (norm.channels / groups)]
        values[0][index] = Float(group.rstd)
        values[1][index] = Float(-group.mean * group.rstd)
        values[2][index] = norm.weight.pointer.assumingMemoryBound(to: Float.self)[channel]
        values[3][index] = norm.bias.pointer.assumingMemoryBound(to: Float.self)[channel]
      }
      let xhat = QuantisedRows(
        affineOf: x.pointer, rows: x.rows, channels: x.channels, pictures: x.batch, scale: vectors[0].pointer,
        shift: vectors[1].pointer, silu: false, pool: tape.pool)
      return Part(
        saved: .int8(xhat, shape: x.shape), isNormal: true, slot: x.slot, scale: vectors[2], shift: vectors[3])
    }
  }

  /// With which what is saved becomes xhat.
  func statistics(_ part: Int, _ group: Int) -> (mean: Double, rstd: Double) {
    parts[part].isNormal ? (0, 1) : statistics[group]
  }
}

/// The gradient of y = silu(x * scale + shift), or without SiLU, where scale and shift are those of a GroupNorm of x:
/// both ops in two passes over the rows.
///
/// With g the gradient before SiLU, xhat = (x - mean) * rstd, and means over a group's values:
/// dx = rstd * (g * gamma - mean(g * gamma) - xhat * mean(g * gamma * xhat)), a linear map of g and x per channel.
struct AffineRecord: TapeRecord {
  let gradient: NormGradient
  let silu: Bool

  private var batch: Int { gradient.parts[0].saved.shape[0] }
  private func channels(_ part: Int) -> Int { gradient.parts[part].scale.channels }

  func inputGradients(_ dy: Activation, on tape: Tape) {
    var starts = [0]
    for part in gradient.parts.indices { starts.append(starts[part] + channels(part)) }
    let origins = gradient.parts.indices.map { origin($0, start: starts[$0], on: tape) }
    let sums = gradient.parts.indices.map { self.sums(dy, part: $0, start: starts[$0], origins[$0], on: tape) }
    let maps = self.maps(sums, starts, origins, on: tape)
    for part in gradient.parts.indices {
      tape.accumulate(for: gradient.parts[part].slot) { old in
        let dx = tape.allocate(gradient.parts[part].saved.shape)
        forEachRun(dy, part: part, start: starts[part], on: tape) { slopes, image, rows, dy, x in
          let at = rows.lowerBound * dx.channels
          slopes.inputGradient(
            dy, x, rows: rows.count, map: maps[part].at(image * 3 * dx.channels), adding: old?.at(at), into: dx.at(at))
        }
        return dx
      }
    }
  }

  /// The mean of what is saved of each channel's group: (B, channels).
  private func origin(_ part: Int, start: Int, on tape: Tape) -> Activation {
    let (count, groups) = (channels(part), gradient.groups)
    let perGroup = gradient.norm.channels / groups
    let origin = tape.allocate([batch, count])
    for index in 0..<batch * count {
      let group = index / count * groups + (start + index % count) / perGroup
      origin.pointer.assumingMemoryBound(to: Float.self)[index] = Float(gradient.statistics(part, group).mean)
    }
    return origin
  }

  /// Of each picture and channel, the sums of g and of g * (x - mean).
  private func sums(
    _ dy: Activation, part: Int, start: Int, _ origin: Activation, on tape: Tape
  ) -> [(first: Double, second: Double)] {
    let (batch, count) = (batch, channels(part))
    return channelSums(batch: batch, pixels: dy.rows / batch, channels: count) { image, rows, sum, dot in
      run(dy, part: part, start: start, image: image, rows: rows, on: tape) { slopes, rows, dy, x in
        slopes.addSums(dy, x, rows: rows.count, origin: origin.at(image * count), sum: sum, dot: dot)
      }
    }
  }

  /// Of each part, (B, 3, channels): the factors of g and x, and a constant.
  private func maps(
    _ sums: [[(first: Double, second: Double)]], _ starts: [Int], _ origins: [Activation], on tape: Tape
  ) -> [Activation] {
    let (groups, total) = (gradient.groups, gradient.norm.channels)
    let gamma = gradient.norm.weight.pointer.assumingMemoryBound(to: Float.self)
    var means = [(first: Double, second: Double)](repeating: (0, 0), count: batch * groups)
    let pixels = gradient.parts[0].saved.shape.dropFirst().dropLast().reduce(1, *)
    let perGroup = Double(pixels * (total / groups))
    func place(_ part: Int, _ index: Int) -> (group: Int, channel: Int) {
      let channel = starts[part] + index % channels(part)
      return (index / channels(part) * groups + channel / (total / groups), channel)
    }
    for part in sums.indices {
      for (index, sum) in sums[part].enumerated() {
        let (group, channel) = place(part, index)
        means[group].first += sum.first * Double(gamma[channel]) / perGroup
        let power = gradient.statistics(part, group).rstd
        means[group].second += sum.second * Double(gamma[channel]) * power / perGroup
      }
    }
    return sums.indices.map { part in
      let count = channels(part)
      let map = tape.allocate([batch, 3, count])
      let values = map.pointer.assumingMemoryBound(to: Float.self)
      for index in sums[part].indices {
        let (group, channel) = place(part, index)
        let rstd = gradient.statistics[group].rstd
        let slope = -rstd * gradient.statistics(part, group).rstd * means[group].second
        let mean = Double(origins[part].pointer.assumingMemoryBound(to: Float.self)[index])
        let start = index / count * 3 * count + index % count
        values[start] = Float(rstd * Double(gamma[channel]))
        values[start + count] = Float(slope)
        values[start + 2 * count] = Float(-rstd * means[group].first - mean * slope)
      }
      return map
    }
  }

  /// Calls `body` on several threads with the image, a few rows, and where they start in dy and in x.
  private func forEachRun(
    _ dy: Activation, part: Int, start: Int, on tape: Tape,
    _ body: (AffineGradient, Int, Range<Int>, UnsafeRawPointer, UnsafeRawPointer) -> Void
  ) {
    let pixels = dy.rows / batch
    Parallel.forEachUnitRange(dy.rows, unit: pixels, channels: channels(part)) { rows in
      let image = rows.lowerBound / pixels
      run(dy, part: part, start: start, image: image, rows: rows, on: tape) { body($0, image, $1, $2, $3) }
    }
  }

  private func run(
    _ dy: Activation, part: Int, start: Int, image: Int, rows: Range<Int>, on tape: Tape,
    _ body: (AffineGradient, Range<Int>, UnsafeRawPointer, UnsafeRawPointer) -> Void
  ) {
    let count = channels(part)
    let of = gradient.parts[part]
    let slopes = AffineGradient(
      channels: count, silu: silu, scale: of.scale.at(image * count), shift: of.shift.at(image * count),
      stride: dy.channels)
    of.saved.forEachRun(rows, on: tape) { rows, x in
      body(slopes, rows, dy.at(rows.lowerBound * dy.channels + start), x)
    }
  }
}
