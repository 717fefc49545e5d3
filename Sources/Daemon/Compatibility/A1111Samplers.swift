import Generation

/// The samplers under the names that A1111 gives them.
struct A1111Sampler {
  let sampler: SamplerName

  static let all = SamplerName.allCases.map { A1111Sampler(sampler: $0) }

  var name: String { sampler.displayName }
  var aliases: [String] { ["k_\(sampler.rawValue)"] }

  /// The sampler of a name, whatever its case; nil for one that is not here.
  init?(named name: String) {
    let wanted = name.lowercased()
    let match = Self.all.first { candidate in
      ([candidate.name, candidate.sampler.rawValue] + candidate.aliases).contains { $0.lowercased() == wanted }
    }
    guard let match else { return nil }
    self = match
  }

  private init(sampler: SamplerName) { self.sampler = sampler }
}
