import CKernels
import Tensors

/// A square window that slides over a picture of rows (height, width, channels).
public struct Window: Sendable, Equatable {
  public let height: Int
  public let width: Int
  public let channels: Int
  public let kernel: Int
  public let stride: Int
  /// Zeros above and left, and below and right.
  public let padding: (leading: Int, trailing: Int)

  public init(height: Int, width: Int, channels: Int, kernel: Int, stride: Int, padding: (leading: Int, trailing: Int))
  {
    self.height = height
    self.width = width
    self.channels = channels
    self.kernel = kernel
    self.stride = stride
    self.padding = padding
  }

  /// Rows that are looked at one by one, as a linear layer does.
  public static func rows(_ count: Int, channels: Int) -> Window {
    Window(height: count, width: 1, channels: channels, kernel: 1, stride: 1, padding: (0, 0))
  }

  public static func == (a: Window, b: Window) -> Bool {
    a.height == b.height && a.width == b.width && a.channels == b.channels && a.kernel == b.kernel
      && a.stride == b.stride && a.padding == b.padding
  }

  public var outHeight: Int { (height + padding.leading + padding.trailing - kernel) / stride + 1 }
  public var outWidth: Int { (width + padding.leading + padding.trailing - kernel) / stride + 1 }
  /// Elements of one patch.
  public var patch: Int { kernel * kernel * channels }

  var c: inv_window {
    inv_window(
      height: height, width: width, channels: channels, out_height: outHeight, out_width: outWidth, kernel: kernel,
      stride: stride, padding: padding.leading)
  }

  /// Writes the patches of output positions `range`, a row (kernel, kernel, channels) each.
  public func gather(_ dtype: DType, _ range: Range<Int>, from x: UnsafeRawPointer, into rows: UnsafeMutableRawPointer)
  {
    withUnsafePointer(to: c) { inv_im2col($0, dtype.byteCount, range.lowerBound, range.upperBound, x, rows) }
  }

  /// The transpose of `gather` over all output positions: fills picture rows `range` of dx.
  public func scatter(
    _ dtype: DType, _ range: Range<Int>, from rows: UnsafeRawPointer, into dx: UnsafeMutableRawPointer
  ) {
    withUnsafePointer(to: c) { window in
      switch dtype {
      case .f32:
        inv_col2im_f32(
          window, range.lowerBound, range.upperBound, rows.assumingMemoryBound(to: Float.self),
          dx.assumingMemoryBound(to: Float.self))
      case .f64:
        inv_col2im_f64(
          window, range.lowerBound, range.upperBound, rows.assumingMemoryBound(to: Double.self),
          dx.assumingMemoryBound(to: Double.self))
      default: preconditionFailure("no convolution computes in \(dtype)")
      }
    }
  }
}
