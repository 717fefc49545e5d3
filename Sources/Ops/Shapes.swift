import Kernels
import Tensors

// MARK: Sums

extension Tape {
  /// a + b, shapes equal.
  public func add(_ a: Activation, _ b: Activation) -> Activation {
    precondition(a.count == b.count)
    // The later layer's epilogue adds, so that the earlier one's rows are made first.
    let y: Activation
    if let product = b.deferred as? ProductRows {
      y = allocate(b.shape, slot: slot(of: a, b))
      product.fill(y.pointer, adding: a)
    } else if let product = a.deferred as? ProductRows {
      y = allocate(a.shape, slot: slot(of: a, b))
      product.fill(y.pointer, adding: b)
    } else {
      y = output(a.shape, of: a, b)
      inRuns(a.count) { kernels.add($0.count, a.at($0.lowerBound), b.at($0.lowerBound), y.at($0.lowerBound)) }
    }
    record(y, AddRecord(a: (a.slot, a.shape), b: (b.slot, b.shape)))
    return y
  }

  /// Adds a vector (B, C) to every row of its picture (B, …, C).
  public func addToRows(_ x: Activation, _ vector: Activation) -> Activation {
    precondition(vector.shape == [x.batch, x.channels] && !vector.needsGradient)
    let y: Activation
    if var product = x.deferred as? ProductRows, product.rowVectors == nil, !(product.x.deferred is GatedRows) {
      product.rowVectors = vector
      y = Activation(shape: x.shape, deferred: product, slot: slot(of: x))
    } else {
      y = output(x.shape, of: x, vector)
      let rows = x.rows / x.batch
      Parallel.forEach(x.batch) { image in
        let start = image * rows * x.channels
        kernels.add_row(rows, x.channels, x.at(start), vector.at(image * x.channels), y.at(start))
      }
    }
    record(y, AddRecord(a: (x.slot, x.shape), b: (nil, [])))
    return y
  }
}

private struct AddRecord: TapeRecord {
  let a: (slot: Int?, shape: [Int])
  let b: (slot: Int?, shape: [Int])

  func inputGradients(_ dy: Activation, on tape: Tape) {
    tape.accumulate(tape.alias(dy, shape: a.shape, slot: nil), for: a.slot)
    tape.accumulate(tape.alias(dy, shape: b.shape, slot: nil), for: b.slot)
  }
}

// MARK: Shapes

extension Tape {
  /// The same rows under other leading dimensions: a picture (B, H, W, C) as tokens (B, H*W, C) and back.
  public func reshape(_ x: Activation, _ shape: [Int]) -> Activation {
    precondition(shape.reduce(1, *) == x.count)
    let y = alias(x, shape: shape, slot: slot(of: x))
    record(y, ReshapeRecord(x: x.slot, shape: x.shape))
    return y
  }

  /// Puts the channels of a before those of b, row by row.
  public func concatChannels(_ a: Activation, _ b: Activation) -> Activation {
    precondition(a.rows == b.rows)
    let shape = Array(a.shape.dropLast()) + [a.channels + b.channels]
    let y: Activation
    if defers {
      y = Activation(shape: shape, deferred: ConcatenatedRows(tape: self, a: a, b: b), slot: slot(of: a, b))
    } else {
      y = output(shape, of: a, b)
      putSideBySide([a, b], [a.channels, b.channels], into: y.pointer)
    }
    record(y, ConcatRecord(a: (a.slot, a.shape), b: (b.slot, b.shape)))
    return y
  }

  /// Writes rows whose channels are those of all `parts` one after another.
  func putSideBySide(_ parts: [Activation], _ widths: [Int], into y: UnsafeMutableRawPointer) {
    let channels = widths.reduce(0, +)
    var offset = 0
    for (part, width) in zip(parts, widths) {
      copyRows(
        part.rows, width, from: part.pointer, stride: width, to: y + offset * dtype.byteCount, stride: channels)
      offset += width
    }
  }

  /// Doubles height and width by repeating pixels.
  public func upsampleNearest2x(_ x: Activation) -> Activation {
    let shape = [x.batch, 2 * x.shape[1], 2 * x.shape[2], x.channels]
    let y: Activation
    if defers {
      y = Activation(shape: shape, deferred: DoubledRows(tape: self, x: x), slot: slot(of: x))
    } else {
      y = output(shape, of: x)
      upsampleNearest2x(x, into: y.pointer)
    }
    record(y, UpsampleRecord(x: x.slot, shape: x.shape))
    return y
  }

  func upsampleNearest2x(_ x: Activation, into y: UnsafeMutableRawPointer) {
    let (height, width) = (x.shape[1], x.shape[2])
    _ = x.buffer
    Parallel.forEach(x.batch) { image in
      let start = image * height * width * x.channels
      kernels.upsample_nearest_2x(height, width, x.channels, x.at(start), y + 4 * start * dtype.byteCount)
    }
  }

  func upsampleNearest2xInputGradient(_ dy: Activation, shape: [Int]) -> Activation {
    let dx = allocate(shape)
    // Lines of the pictures lie one below the other.
    Parallel.forEachRange(shape[0] * shape[1], grain: max(4, shape[1] / 8)) { lines in
      let start = lines.lowerBound * shape[2] * shape[3]
      kernels.upsample_nearest_2x_input_gradient(lines.count, shape[2], shape[3], dy.at(4 * start), dx.at(start))
    }
    return dx
  }

  fileprivate func copyRows(
    _ rows: Int, _ channels: Int, from: UnsafeRawPointer, stride: Int, to: UnsafeMutableRawPointer, stride toStride: Int
  ) {
    let size = dtype.byteCount
    Parallel.forEachUnitRange(rows, unit: rows, channels: channels) { range in
      for row in range {
        (to + row * toStride * size).copyMemory(from: from + row * stride * size, byteCount: channels * size)
      }
    }
  }
}

private struct ReshapeRecord: TapeRecord {
  let x: Int?
  let shape: [Int]

  func inputGradients(_ dy: Activation, on tape: Tape) {
    tape.accumulate(tape.alias(dy, shape: shape, slot: nil), for: x)
  }
}

private struct ConcatRecord: TapeRecord {
  let a: (slot: Int?, shape: [Int])
  let b: (slot: Int?, shape: [Int])

  func inputGradients(_ dy: Activation, on tape: Tape) {
    tape.accumulate(part(dy, a.shape, from: 0, on: tape), for: a.slot)
    tape.accumulate(part(dy, b.shape, from: a.shape[a.shape.count - 1], on: tape), for: b.slot)
  }

  private func part(_ dy: Activation, _ shape: [Int], from channel: Int, on tape: Tape) -> Activation {
    let dx = tape.allocate(shape)
    tape.copyRows(
      dx.rows, dx.channels, from: dy.at(channel), stride: dy.channels, to: dx.at(0), stride: dx.channels)
    return dx
  }
}

private struct UpsampleRecord: TapeRecord {
  let x: Int?
  let shape: [Int]

  func inputGradients(_ dy: Activation, on tape: Tape) {
    tape.accumulate(tape.upsampleNearest2xInputGradient(dy, shape: shape), for: x)
  }
}
