import Ops
import Tensors

/// The size of a linear layer or a square convolution.
package struct LayerShape: Sendable, Hashable {
  package let outputs: Int
  package let inputs: Int
  /// The side of a convolution's window; nil for a linear layer.
  package var window: Int?

  /// (out, in) or (out, k, k, in): the engine's layout, in which patches of rows lie.
  package var dimensions: [Int] { window.map { [outputs, $0, $0, inputs] } ?? [outputs, inputs] }
}

/// Where the weights of one network come from while it is built: a checkpoint that is converted, or a package that is
/// mapped. Every call names a weight by diffusers' path and says what shape the config asks for.
package protocol LayerSource: Sendable {
  /// In the precision that the layer's plan has, dense ones in the engine's element type.
  /// - Throws: `badModel` naming file, tensor and both shapes.
  func layer(_ path: String, _ shape: LayerShape) throws -> LayerWeight

  /// A bias, or a parameter of a norm: (count), in the engine's element type.
  func vector(_ path: String, _ count: Int) throws -> Weight

  /// A table that is read row by row, in its file's own element type.
  func table(_ path: String, rows: Int, columns: Int) throws -> Weight

  /// Takes the pages of a mapped file out of this process; they come in again as they are read.
  func releasePages()

  /// Bytes of the mapped file, 0 where there is none.
  var mappedBytes: Int { get }
}

extension LayerSource {
  package func releasePages() {}
  package var mappedBytes: Int { 0 }
}
