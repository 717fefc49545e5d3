import Foundation
import Schedules
import Testing

/// Against values of `torch.Generator().manual_seed(seed)`, which Tools/golden/schedules.py wrote.
@Suite("PyTorch's noise on a CPU")
struct TorchNoiseTests {
  /// Draws of one generator, one after the other.
  struct Draws: Decodable, CustomTestStringConvertible {
    let seed: UInt64
    let draws: [[Float]]

    var testDescription: String { "seed \(seed)" }

    static let all: [Draws] = {
      guard let url = Bundle.module.url(forResource: "Golden/torch-noise", withExtension: "json") else { return [] }
      return (try? JSONDecoder().decode([Draws].self, from: Data(contentsOf: url))) ?? []
    }()
  }

  @Test func goldenFileIsThere() { #expect(Draws.all.count > 3) }

  @Test(arguments: Draws.all)
  func agrees(golden: Draws) {
    var noise = TorchNoise(seed: golden.seed)
    for (index, draw) in golden.draws.enumerated() {
      // PyTorch's vectorised logarithm, sine and cosine round otherwise than libm's.
      #expect(relativeError(noise.normal(draw.count), draw) < 1e-6, "draw \(index) of \(draw.count)")
    }
  }
}
