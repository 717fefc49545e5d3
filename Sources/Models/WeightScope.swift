import Ops
import Tensors

/// The weights of one network seen from one of its parts: `scope["down_blocks"][0]["resnets"]`.
struct WeightScope {
  /// Dotted, as observers see it and, apart from `WeightNames`, as files name it.
  let path: String
  private let source: any LayerSource

  init(_ source: any LayerSource, path: String = "") {
    self.source = source
    self.path = path
  }

  subscript(part: String) -> WeightScope { WeightScope(source, path: path.isEmpty ? part : "\(path).\(part)") }

  subscript(index: Int) -> WeightScope { self["\(index)"] }

  // MARK: Layers

  /// A linear layer, or a 1x1 convolution that serves as one.
  func linear(_ inputs: Int, _ outputs: Int, bias: Bool = true) throws -> Linear {
    Linear(
      weight: try source.layer(path, LayerShape(outputs: outputs, inputs: inputs)),
      bias: bias ? try source.vector("\(path).bias", outputs) : nil)
  }

  func conv2d(
    _ inputs: Int, _ outputs: Int, kernel: Int = 3, stride: Int = 1, padding: (leading: Int, trailing: Int)? = nil
  ) throws -> Conv2d {
    let same = kernel / 2
    return Conv2d(
      weight: try source.layer(path, LayerShape(outputs: outputs, inputs: inputs, window: kernel)),
      bias: try source.vector("\(path).bias", outputs), stride: stride, padding: padding ?? (same, same))
  }

  func norm(_ channels: Int, eps: Double) throws -> NormParameters {
    NormParameters(
      weight: try source.vector("\(path).weight", channels), bias: try source.vector("\(path).bias", channels),
      eps: eps)
  }

  /// (rows, columns), read row by row.
  func table(rows: Int, columns: Int) throws -> Weight {
    try source.table("\(path).weight", rows: rows, columns: columns)
  }
}
