import Kernels
import Tensors

/// A square convolution over rows: weight (out, kernel, kernel, in), bias (out).
public struct Conv2d: Sendable {
  public let weight: LayerWeight
  public let bias: Weight?
  public let stride: Int
  /// Zeros above and left, and below and right.
  public let padding: (leading: Int, trailing: Int)

  public init(weight: Weight, bias: Weight?, stride: Int = 1, padding: (leading: Int, trailing: Int)) {
    self.init(weight: .dense(weight), bias: bias, stride: stride, padding: padding)
  }

  public init(weight: LayerWeight, bias: Weight?, stride: Int = 1, padding: (leading: Int, trailing: Int)) {
    self.weight = weight
    self.bias = bias
    self.stride = stride
    self.padding = padding
  }

  public var outputs: Int { weight.outputs }
  public var kernel: Int { weight.kernel }
  public var inputs: Int { weight.inputs }

  /// A 1x1 convolution is a linear layer over the pixels.
  var asLinear: Linear? {
    guard kernel == 1, stride == 1, padding == (0, 0) else { return nil }
    switch weight {
    case .dense(let dense): return Linear(weight: dense.reshaped([outputs, inputs]), bias: bias)
    case .half(let half): return Linear(weight: .half(half.reshaped([outputs, inputs])), bias: bias)
    case .int8: return Linear(weight: weight, bias: bias)
    }
  }

  func window(over x: [Int]) -> Window {
    Window(height: x[1], width: x[2], channels: x[3], kernel: kernel, stride: stride, padding: padding)
  }
}

extension Tape {
  /// (batch, height, width, in) -> (batch, height', width', out).
  public func conv2d(_ x: Activation, _ layer: Conv2d) -> Activation {
    if let linear = layer.asLinear { return self.linear(x, linear) }
    precondition(x.shape.count == 4 && x.channels == layer.inputs)
    let window = layer.window(over: x.shape)
    let shape = [x.batch, window.outHeight, window.outWidth, layer.outputs]
    switch layer.weight {
    case .int8(let weight): return quantisedProduct(x, weight, layer.bias, window, shape: shape)
    case .half(let weight):
      let y = output(shape, of: x)
      record(y, ConvRecord(x: x.slot, shape: x.shape, layer: layer))
      halfConv2d(x, weight, layer.bias, window, into: y)
      return y
    case .dense(let weight): return conv2d(x, layer, weight, window, shape: shape)
    }
  }

  private func conv2d(
    _ x: Activation, _ layer: Conv2d, _ weight: Weight, _ window: Window, shape: [Int]
  ) -> Activation {
    precondition(weight.dtype == dtype)
    let (positions, patch, outputs) = (window.outHeight * window.outWidth, window.patch, layer.outputs)
    let y = output(shape, of: x)
    record(y, ConvRecord(x: x.slot, shape: x.shape, layer: layer))
    forEachTile(batch: x.batch, positions: positions, patch: patch) { image, range in
      let patches = pool.allocate(byteCount: range.count * patch * dtype.byteCount)
      window.gather(dtype, range, from: x.at(image * x.count / x.batch), into: patches.pointer)
      let target = y.at((image * positions + range.lowerBound) * outputs)
      if let bias = layer.bias { kernels.fill_rows(range.count, outputs, outputs, bias.pointer, target) }
      matrixProduct(
        dtype, m: range.count, n: outputs, k: patch, Matrix(patches.pointer, stride: patch),
        Matrix(weight.pointer, stride: patch, transposed: true), beta: layer.bias == nil ? 0 : 1,
        into: target, stride: outputs)
    }
    layerObserver?(LayerCall(weight: weight, bias: layer.bias, window: window, input: x, output: y))
    return y
  }

  /// The convolution with its weight in f16 or bf16; only on a tape in f32.
  private func halfConv2d(_ x: Activation, _ weight: Weight, _ bias: Weight?, _ window: Window, into y: Activation) {
    precondition(dtype == .f32, "half weights compute in f32")
    let (positions, patch) = (window.outHeight * window.outWidth, window.patch)
    forEachTile(batch: x.batch, positions: positions, patch: patch) { image, range in
      let patches = pool.allocate(byteCount: range.count * patch * 4)
      window.gather(.f32, range, from: x.at(image * x.count / x.batch), into: patches.pointer)
      halfProduct(
        rows: range.count, x: patches.pointer, stride: patch, weight, columns: 0..<y.channels, bias: bias,
        into: y.at((image * positions + range.lowerBound) * y.channels), stride: y.channels, pool: pool)
    }
  }

  /// dx: each pixel collects from the patches that saw it.
  func conv2dInputGradient(_ dy: Activation, shape: [Int], _ layer: Conv2d) -> Activation {
    let window = layer.window(over: shape)
    let (positions, patch, outputs) = (window.outHeight * window.outWidth, window.patch, layer.outputs)
    let dx = allocate(shape)
    let weight = layer.weight.dense(pool)
    for image in 0..<shape[0] {
      let patches = pool.allocate(byteCount: positions * patch * dtype.byteCount)
      forEachTile(batch: 1, positions: positions, patch: patch) { _, range in
        matrixProduct(
          dtype, m: range.count, n: patch, k: outputs,
          Matrix(dy.at((image * positions + range.lowerBound) * outputs), stride: outputs),
          Matrix(weight.pointer, stride: patch),
          into: patches.pointer + range.lowerBound * patch * dtype.byteCount, stride: patch)
      }
      Parallel.forEachRange(window.height, grain: max(4, window.height / 8)) { rows in
        window.scatter(dtype, rows, from: patches.pointer, into: dx.at(image * dx.count / shape[0]))
      }
    }
    return dx
  }

  /// Cuts each picture's output positions into tiles whose patches fit the second-level cache.
  private func forEachTile(batch: Int, positions: Int, patch: Int, _ body: (Int, Range<Int>) -> Void) {
    let cacheBytes = 512 * 1024
    let grain = max(32, min(256, cacheBytes / (patch * dtype.byteCount), positions / 4))
    let tiles = max(1, (positions + grain - 1) / grain)
    Parallel.forEach(batch * tiles) { piece in
      let tile = piece % tiles
      body(piece / tiles, positions * tile / tiles..<positions * (tile + 1) / tiles)
    }
  }
}

private struct ConvRecord: TapeRecord {
  let x: Int?
  let shape: [Int]
  let layer: Conv2d

  func inputGradients(_ dy: Activation, on tape: Tape) {
    tape.accumulate(tape.conv2dInputGradient(dy, shape: shape, layer), for: x)
  }
}
