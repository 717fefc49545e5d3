/// Where files name a weight otherwise than the path of the property that holds it: the one table of exceptions.
struct WeightNames: Sendable {
  /// Where a weight may be: a tensor, or one of three that are stacked in it along the first dimension.
  struct Place: Sendable, Equatable {
    let name: String
    var third: Int?
  }

  private let places: @Sendable (String) -> [Place]

  init(_ places: @escaping @Sendable (String) -> [Place] = { [Place(name: $0)] }) { self.places = places }

  /// Where a file may have it, most usual first.
  func candidates(for path: String) -> [Place] { places(path) }

  // MARK: Diffusers folders

  /// transformers before 5 saves CLIPTextModel under `text_model.`, later versions without.
  static let textEncoder = WeightNames { [Place(name: $0), Place(name: "text_model.\($0)")] }

  /// The VAE's attention was `query`, `key`, `value`, `proj_attn` before diffusers 0.15.
  static let autoencoder = WeightNames { path in
    let renamed = [("to_q", "query"), ("to_k", "key"), ("to_v", "value"), ("to_out.0", "proj_attn")]
    let old = renamed.compactMap { new, old in
      path.contains("attentions.0.\(new).") ? Place(name: replacing(".\(new).", by: ".\(old).", in: path)) : nil
    }
    return [Place(name: path)] + old
  }

  // MARK: Single files

  static let checkpointUNet = WeightNames { path in CheckpointNames.unet(path).map { [Place(name: $0)] } ?? [] }

  static func checkpointAutoencoder(levels: Int) -> WeightNames {
    WeightNames { path in CheckpointNames.autoencoder(path, levels: levels).map { [Place(name: $0)] } ?? [] }
  }

  static let checkpointText = WeightNames { path in
    let openCLIP = CheckpointNames.openCLIPText(path).map { Place(name: $0.name, third: $0.third) }
    return CheckpointNames.clipText(path).map { Place(name: $0) } + [openCLIP].compactMap(\.self)
  }

  private static func replacing(_ part: String, by other: String, in path: String) -> String {
    let old = Array(path)
    let wanted = Array(part)
    for start in old.indices where old[start...].starts(with: wanted) {
      return String(old[..<start]) + other + String(old[(start + wanted.count)...])
    }
    return path
  }
}
