import Kernels

/// The non-linear functions of the networks, under the names of their config files.
public enum ActivationFunction: String, Sendable {
  case silu
  case gelu
  case quickGELU = "quick_gelu"
}

extension Tape {
  public func activation(_ x: Activation, _ function: ActivationFunction) -> Activation {
    if function == .silu, let affine = x.deferred as? AffineRows, !affine.silu { return silu(x.shape, of: affine) }
    let y = output(x.shape, of: x)
    inRuns(x.count) { range in
      let (n, from, to) = (range.count, x.at(range.lowerBound), y.at(range.lowerBound))
      switch function {
      case .silu: kernels.silu(n, from, to)
      case .gelu: kernels.gelu(n, from, to)
      case .quickGELU: kernels.quick_gelu(n, from, to)
      }
    }
    record(y, ActivationRecord(x: SavedRows(x, on: self), slot: x.slot, function: function))
    return y
  }

  func activationInputGradient(_ dy: Activation, _ x: Activation, _ function: ActivationFunction) -> Activation {
    let dx = allocate(x.shape)
    inRuns(x.count) { range in
      let (n, from, at, to) = (range.count, dy.at(range.lowerBound), x.at(range.lowerBound), dx.at(range.lowerBound))
      switch function {
      case .silu: kernels.silu_input_gradient(n, from, at, to)
      case .gelu: kernels.gelu_input_gradient(n, from, at, to)
      case .quickGELU: kernels.quick_gelu_input_gradient(n, from, at, to)
      }
    }
    return dx
  }

  public func silu(_ x: Activation) -> Activation { activation(x, .silu) }

  /// GEGLU (Shazeer 2020): value | gate in (…, 2C) -> value * gelu(gate) in (…, C).
  public func geglu(_ x: Activation) -> Activation {
    let channels = x.channels / 2
    let shape = Array(x.shape.dropLast()) + [channels]
    if let product = x.deferred as? ProductRows, product.canBeGated {
      let gradient = x.needsGradient ? GatedGradient(of: product) : nil
      let y = Activation(shape: shape, deferred: GatedRows(product: product, gradient: gradient), slot: slot(of: x))
      if let gradient { record(y, GatedRecord(gated: gradient)) }
      return y
    }
    let y = output(shape, of: x)
    geglu(x, into: y.pointer)
    record(y, GEGLURecord(x: SavedRows(x, on: self), slot: x.slot))
    return y
  }

  func geglu(_ x: Activation, into y: UnsafeMutableRawPointer) {
    let channels = x.channels / 2
    Parallel.forEachRange(x.rows, grain: max(16, x.rows / 8)) { rows in
      kernels.geglu(
        rows.count, channels, x.at(rows.lowerBound * 2 * channels), y + rows.lowerBound * channels * dtype.byteCount)
    }
  }

  func gegluInputGradient(_ dy: Activation, _ x: Activation) -> Activation {
    let channels = x.channels / 2
    let dx = allocate(x.shape)
    Parallel.forEachRange(x.rows, grain: max(16, x.rows / 8)) { rows in
      let (narrow, wide) = (rows.lowerBound * channels, rows.lowerBound * 2 * channels)
      kernels.geglu_input_gradient(rows.count, channels, dy.at(narrow), x.at(wide), dx.at(wide))
    }
    return dx
  }

  /// Cuts an element-wise op into runs that are worth a thread.
  func inRuns(_ count: Int, _ body: (Range<Int>) -> Void) {
    Parallel.forEachRange(count, grain: max(16_384, count / 8), body)
  }
}

private struct ActivationRecord: TapeRecord {
  let x: SavedRows
  let slot: Int?
  let function: ActivationFunction

  func inputGradients(_ dy: Activation, on tape: Tape) {
    tape.accumulate(tape.activationInputGradient(dy, x.restored(on: tape), function), for: slot)
  }
}

private struct GEGLURecord: TapeRecord {
  let x: SavedRows
  let slot: Int?

  func inputGradients(_ dy: Activation, on tape: Tape) {
    tape.accumulate(tape.gegluInputGradient(dy, x.restored(on: tape)), for: slot)
  }
}
