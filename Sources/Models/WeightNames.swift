/// Where files name a weight otherwise than the path of the property that holds it: the one table of exceptions.
struct WeightNames: Sendable {
  private let alternatives: @Sendable (String) -> [String]

  init(_ alternatives: @escaping @Sendable (String) -> [String] = { _ in [] }) { self.alternatives = alternatives }

  /// The names under which a file may have it, most usual first.
  func candidates(for path: String) -> [String] { [path] + alternatives(path) }

  /// transformers before 5 saves CLIPTextModel under `text_model.`, later versions without.
  static let textEncoder = WeightNames { ["text_model.\($0)"] }

  /// The VAE's attention was `query`, `key`, `value`, `proj_attn` before diffusers 0.15.
  static let autoencoder = WeightNames { path in
    let renamed = [("to_q", "query"), ("to_k", "key"), ("to_v", "value"), ("to_out.0", "proj_attn")]
    for (new, old) in renamed where path.contains("attentions.0.\(new).") {
      return [replacing(new, by: old, in: path)]
    }
    return []
  }

  private static func replacing(_ part: String, by other: String, in path: String) -> String {
    let old = Array(path)
    let wanted = Array(".\(part).")
    for start in old.indices where old[start...].starts(with: wanted) {
      return String(old[..<start]) + ".\(other)." + String(old[(start + wanted.count)...])
    }
    return path
  }
}
