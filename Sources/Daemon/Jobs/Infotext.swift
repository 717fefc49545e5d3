import Generation

/// How a picture was made, in the text that AUTOMATIC1111 writes into its files and many programs read.
package struct Infotext {
  let request: GenerationRequest
  /// From 0.
  let picture: Int
  let width: Int
  let height: Int
  let model: String
  let used: [UsedEmbedding]

  package init(
    request: GenerationRequest, picture: Int, width: Int, height: Int, model: String, used: [UsedEmbedding]
  ) {
    self.request = request
    self.picture = picture
    self.width = width
    self.height = height
    self.model = model
    self.used = used
  }

  /// Digits of a hash that A1111 shows.
  private static let hashDigits = 12

  package var text: String {
    var lines = [request.prompt]
    if !request.negativePrompt.isEmpty { lines.append("Negative prompt: \(request.negativePrompt)") }
    var pairs: [(String, String?)] = [
      ("Steps", "\(request.steps)"), ("Sampler", request.sampler.displayName),
      ("Schedule type", request.scheduler.map { $0.rawValue.capitalized }),
      ("CFG scale", Self.number(request.guidanceScale)), ("Seed", "\(request.seed(ofPicture: picture))"),
      ("Size", "\(width)x\(height)"), ("Model", Self.quoted(model)),
    ]
    if let variation = request.variation {
      pairs.append(("Variation seed", "\(variation.seed + UInt64(picture))"))
      pairs.append(("Variation seed strength", Self.number(variation.strength)))
    }
    if let gate = request.gateStep { pairs.append(("T-GATE", "\(gate)")) }
    if let caching = request.deepCaching { pairs.append(("DeepCache", "\(caching.interval)/\(caching.depth)")) }
    // A1111's word for PyTorch's CPU generator; nothing says Philox.
    if request.rng == .torchCPU { pairs.append(("RNG", "CPU")) }
    if request.clipSkip > 1 { pairs.append(("Clip skip", "\(request.clipSkip)")) }
    if !used.isEmpty {
      let hashes = used.map { "\($0.name): \($0.sha256.prefix(Self.hashDigits))" }.joined(separator: ", ")
      pairs.append(("TI hashes", Self.quoted(hashes)))
    }
    pairs.append(("Version", "inversion \(Daemon.version)"))
    lines.append(pairs.compactMap { name, value in value.map { "\(name): \($0)" } }.joined(separator: ", "))
    return lines.joined(separator: "\n")
  }

  /// Without the '.0' of whole numbers, as others write them.
  private static func number(_ value: Float) -> String {
    value == value.rounded() ? "\(Int(value))" : "\(value)"
  }

  /// JSON quotes around what would end the value early.
  private static func quoted(_ value: String) -> String {
    guard value.contains(where: { $0 == "," || $0 == ":" || $0 == "\n" || $0 == "\"" }) else { return value }
    var text = "\""
    for c in value {
      switch c {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      default: text.append(c)
      }
    }
    return text + "\""
  }
}
