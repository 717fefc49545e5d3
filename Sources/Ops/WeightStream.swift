import Files
import Kernels

/// Reads mapped int8 weights ahead of their layers and lets go of them behind, so that a network runs in less memory
/// than it has weights.
///
/// A network uses its layers in the same order every time: the order is learnt in the first pass.
public final class WeightStream {
  private let aheadBytes: Int
  private var order: [UnsafeRawBufferPointer] = []
  /// Where in `order` the next layer is expected.
  private var position = 0

  /// - Parameter aheadBytes: how much of the layers to come is read while one computes.
  public init(aheadBytes: Int) { self.aheadBytes = aheadBytes }

  /// Calls `body` with the weights at hand; they may go after it.
  func use(_ weights: [PackedWeight], _ body: () -> Void) {
    let panels = weights.filter(\.isMapped).map(\.panels)
    for panels in panels { advance(past: panels) }
    readAhead()
    body()
    for panels in panels { adviseMapped(panels, .dontNeed) }
  }

  private func advance(past panels: UnsafeRawBufferPointer) {
    if position < order.count, order[position].baseAddress == panels.baseAddress {
      position += 1
    } else if let known = order.firstIndex(where: { $0.baseAddress == panels.baseAddress }) {
      // A new pass, or a network that left out a part.
      position = known + 1
    } else {
      order.append(panels)
      position = order.count
    }
  }

  /// After the last layer comes the first, in the next step.
  private func readAhead() {
    var left = aheadBytes
    for distance in 0..<order.count where left > 0 {
      let next = order[(position + distance) % order.count]
      let bytes = UnsafeRawBufferPointer(rebasing: next.prefix(left))
      adviseMapped(bytes, .willNeed)
      left -= bytes.count
    }
  }
}
