import Kernels
import Tensors

/// A dense linear layer or convolution as it was computed, for those who measure what another precision would do.
public struct LayerCall {
  public let weight: Weight
  public let bias: Weight?
  /// What each output sees of the input; a linear layer sees one row.
  public let window: Window
  public let input: Activation
  /// May be overwritten.
  public let output: Activation
}
