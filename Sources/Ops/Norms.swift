import Kernels
import Tensors

/// Scale and shift of a normalisation, (channels) each, and the constant under its square root.
public struct NormParameters: Sendable {
  public let weight: Weight
  public let bias: Weight
  public let eps: Double

  public init(weight: Weight, bias: Weight, eps: Double) {
    precondition(weight.shape == bias.shape && weight.shape.count == 1)
    self.weight = weight
    self.bias = bias
    self.eps = eps
  }

  public var channels: Int { weight.shape[0] }
}

// MARK: LayerNorm

extension Tape {
  /// Normalises each row over its channels (Ba et al. 2016).
  public func layerNorm(_ x: Activation, _ norm: NormParameters) -> Activation {
    precondition(x.channels == norm.channels && norm.weight.dtype == dtype)
    let (mean, rstd) = (allocate([x.rows]), allocate([x.rows]))
    let y: Activation
    if defers {
      let rows = LayerNormRows(tape: self, x: x, norm: norm, mean: mean, rstd: rstd)
      y = Activation(shape: x.shape, deferred: rows, slot: slot(of: x))
    } else {
      y = output(x.shape, of: x)
      layerNorm(x, norm, into: y.pointer, mean: mean, rstd: rstd)
    }
    record(y, LayerNormRecord(x: SavedRows(x, on: self), slot: x.slot, norm: norm, mean: mean, rstd: rstd))
    return y
  }

  func layerNorm(
    _ x: Activation, _ norm: NormParameters, into y: UnsafeMutableRawPointer, mean: Activation, rstd: Activation
  ) {
    _ = x.buffer
    Parallel.forEachRange(x.rows, grain: max(32, x.rows / 8)) { rows in
      let first = rows.lowerBound
      kernels.layer_norm(
        rows.count, x.channels, norm.eps, x.at(first * x.channels), norm.weight.pointer, norm.bias.pointer,
        y + first * x.channels * dtype.byteCount, mean.at(first), rstd.at(first))
    }
  }

  func layerNormInputGradient(
    _ dy: Activation, _ x: Activation, _ norm: NormParameters, mean: Activation, rstd: Activation
  ) -> Activation {
    let dx = allocate(x.shape)
    Parallel.forEachRange(x.rows, grain: max(32, x.rows / 8)) { rows in
      let first = rows.lowerBound
      kernels.layer_norm_input_gradient(
        rows.count, x.channels, dy.at(first * x.channels), x.at(first * x.channels), norm.weight.pointer,
        mean.at(first), rstd.at(first), dx.at(first * x.channels))
    }
    return dx
  }
}

private struct LayerNormRecord: TapeRecord {
  let x: SavedRows
  let slot: Int?
  let norm: NormParameters
  let mean: Activation
  let rstd: Activation

  func inputGradients(_ dy: Activation, on tape: Tape) {
    let x = x.restored(on: tape)
    tape.accumulate(tape.layerNormInputGradient(dy, x, norm, mean: mean, rstd: rstd), for: slot)
  }
}

// MARK: GroupNorm

extension Tape {
  /// Normalises each picture over groups of channels and all its pixels (Wu and He 2018).
  public func groupNorm(_ x: Activation, _ norm: NormParameters, groups: Int) -> Activation {
    precondition(x.channels == norm.channels && x.channels % groups == 0 && norm.weight.dtype == dtype)
    if defers { return deferredGroupNorm(x, norm, groups: groups) }
    let y = output(x.shape, of: x)
    let mean = allocate([x.batch, groups])
    let rstd = allocate([x.batch, groups])
    forEachGroupRun(x, groups) { image, run, start, channel in
      kernels.group_norm(
        x.rows / x.batch, x.channels, run.count, x.channels / groups, norm.eps, x.at(start),
        norm.weight.pointer + channel * dtype.byteCount, norm.bias.pointer + channel * dtype.byteCount, y.at(start),
        mean.at(image * groups + run.lowerBound), rstd.at(image * groups + run.lowerBound))
    }
    record(
      y, GroupNormRecord(x: SavedRows(x, on: self), slot: x.slot, norm: norm, groups: groups, mean: mean, rstd: rstd))
    return y
  }

  func groupNormInputGradient(
    _ dy: Activation, _ x: Activation, _ norm: NormParameters, groups: Int, mean: Activation, rstd: Activation
  ) -> Activation {
    let dx = allocate(x.shape)
    forEachGroupRun(x, groups) { image, run, start, channel in
      kernels.group_norm_input_gradient(
        x.rows / x.batch, x.channels, run.count, x.channels / groups, dy.at(start), x.at(start),
        norm.weight.pointer + channel * dtype.byteCount, mean.at(image * groups + run.lowerBound),
        rstd.at(image * groups + run.lowerBound), dx.at(start))
    }
    return dx
  }

  /// Cuts the groups of every picture into runs of at least 32 channels: `body(image, groups, first element, channel)`.
  private func forEachGroupRun(_ x: Activation, _ groups: Int, _ body: (Int, Range<Int>, Int, Int) -> Void) {
    let perGroup = x.channels / groups
    let runs = max(1, min(4, x.channels / 32, groups))
    Parallel.forEach(x.batch * runs) { piece in
      let (image, run) = (piece / runs, piece % runs)
      let range = groups * run / runs..<groups * (run + 1) / runs
      body(image, range, image * x.count / x.batch + range.lowerBound * perGroup, range.lowerBound * perGroup)
    }
  }
}

private struct GroupNormRecord: TapeRecord {
  let x: SavedRows
  let slot: Int?
  let norm: NormParameters
  let groups: Int
  let mean: Activation
  let rstd: Activation

  func inputGradients(_ dy: Activation, on tape: Tape) {
    let x = x.restored(on: tape)
    tape.accumulate(tape.groupNormInputGradient(dy, x, norm, groups: groups, mean: mean, rstd: rstd), for: slot)
  }
}
