/// Where the noise of a picture comes from.
public enum NoiseGenerator: Sendable {
  case philox(PhiloxNoise)
  case torch(TorchNoise)

  public enum Name: String, Sendable, CaseIterable {
    /// `PhiloxNoise`.
    case philox
    /// `TorchNoise`.
    case torchCPU = "torch-cpu"
  }

  public init(_ name: Name, seed: UInt64) {
    switch name {
    case .philox: self = .philox(PhiloxNoise(seed: seed))
    case .torchCPU: self = .torch(TorchNoise(seed: seed))
    }
  }

  /// The next draw: standard normal values.
  public mutating func normal(_ count: Int) -> [Float] {
    switch self {
    case .philox(var noise):
      defer { self = .philox(noise) }
      return noise.normal(count)
    case .torch(var noise):
      defer { self = .torch(noise) }
      return noise.normal(count)
    }
  }
}
