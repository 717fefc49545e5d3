import Formats

/// The part of a file that is the embedding, and what to call it.
struct EmbeddingInterpretation {
  /// One, or one for each cross-attention layer.
  private(set) var tensors: [EmbeddingContent.Tensor]
  private(set) var layout: EmbeddingLayout
  /// The tensor's key, when it is a word; else nil.
  private(set) var word: String?
  private(set) var notes: [String] = []

  /// Keys that say nothing about the word.
  private static let generic: [String: EmbeddingLayout] = [
    "emb_params": .kohya, "emp_params": .oneTrainer, "clip_l": .sdxl, "clip_g": .sdxl, "text_encoders_0": .sdxl,
    "text_encoders_1": .sdxl, "*": .bare,
  ]
  private static let pairs = [("clip_l", "clip_g"), ("text_encoders_0", "text_encoders_1")]
  /// The cross-attention layers of SD 1.x and 2.x, from the input to the output, as kohya names them.
  static let layerKeys = [
    "IN01", "IN02", "IN04", "IN05", "IN07", "IN08", "MID", "OUT03", "OUT04", "OUT05", "OUT06", "OUT07", "OUT08",
    "OUT09", "OUT10", "OUT11",
  ]
  private static let outputSuffix = "_out"

  /// - Throws: `EmbeddingFault`.
  init(_ content: EmbeddingContent) throws {
    let all = content.tensors.sorted { $0.key < $1.key }
    try Self.refuseOthers(all)
    var tensors = all
    // Vectors that OneTrainer adds behind the text encoder: without those before it there is nothing to use.
    let outputs = all.filter { Self.isOutput($0.key) }
    if !outputs.isEmpty {
      tensors.removeAll { Self.isOutput($0.key) }
      guard !tensors.isEmpty else {
        throw EmbeddingFault("an output embedding ('\(outputs[0].key)'), added behind the text encoder; not supported")
      }
      notes.append("its output embedding ('\(outputs[0].key)'), added behind the text encoder, is left out")
    }
    self.tensors = tensors
    layout = content.layout ?? .diffusers
    if tensors.count == 1 {
      word = Self.generic[tensors[0].key] == nil ? tensors[0].key : nil
      layout = content.layout ?? Self.generic[tensors[0].key] ?? .diffusers
    } else if Set(tensors.map(\.key)) == Set(Self.layerKeys) {
      layout = .xti
      self.tensors = Self.layerKeys.compactMap { key in tensors.first { $0.key == key } }
    } else if let pair = Self.pairs.first(where: { Set([$0.0, $0.1]) == Set(tensors.map(\.key)) }) {
      try takeFirst(of: pair)
    } else if !takeNumbered() {
      let names = tensors.prefix(2).map { "'\($0.key)'" }.joined(separator: ", ")
      let more = tensors.count > 2 ? ", ..." : ""
      throw EmbeddingFault("\(tensors.count) tensors (\(names)\(more)); an embedding file has one")
    }
  }

  private static func isOutput(_ key: String) -> Bool {
    key.hasSuffix(outputSuffix) && generic[String(key.dropLast(outputSuffix.count))] != nil
  }

  private static func refuseOthers(_ tensors: [EmbeddingContent.Tensor]) throws {
    guard !tensors.isEmpty else { throw EmbeddingFault("no tensor; not an embedding file") }
    let keys = tensors.map(\.key)
    if let bundled = keys.first(where: { $0.hasPrefix("bundle_emb.") }) {
      throw EmbeddingFault("a LoRA with an embedding inside ('\(bundled)'); not an embedding file")
    }
    if ForeignContent.isLoRA(keys) { throw EmbeddingFault("a LoRA, not an embedding") }
    let parts = ["model.diffusion_model.", "cond_stage_model.", "first_stage_model.", "text_model.", "down_blocks."]
    if let key = keys.first(where: { key in parts.contains { key.hasPrefix($0) } }) {
      throw EmbeddingFault(
        "the weights of a model ('\(key)'), not an embedding; 'inversion models import' takes models")
    }
  }

  /// Of SDXL's pair the half for the text encoder that SD 1.x has too.
  private mutating func takeFirst(of pair: (String, String)) throws {
    guard let first = tensors.first(where: { $0.key == pair.0 }),
      let second = tensors.first(where: { $0.key == pair.1 })
    else { return }
    guard first.shape.count == second.shape.count, first.shape.dropLast() == second.shape.dropLast() else {
      throw EmbeddingFault("an SDXL pair of different lengths: \(first.shape) and \(second.shape)")
    }
    tensors = [first]
    layout = .sdxl
    notes.append("of a pair made for SDXL, the half of its first text encoder ('\(pair.0)'); '\(pair.1)' is left out")
  }

  /// InvokeAI gives every vector a key: `tok`, `tok_1`, `tok_2`, …
  private mutating func takeNumbered() -> Bool {
    guard let base = tensors.map(\.key).min(by: { $0.utf8.count < $1.utf8.count }) else { return false }
    let keys = [base] + (1..<tensors.count).map { "\(base)_\($0)" }
    let ordered = keys.compactMap { key in tensors.first { $0.key == key } }
    guard ordered.count == tensors.count, Self.generic[base] == nil,
      ordered.allSatisfy({ $0.shape == ordered[0].shape }), [1, 2].contains(ordered[0].shape.count),
      ordered[0].shape.count == 1 || ordered[0].shape[0] == 1
    else { return false }
    (tensors, layout, word) = (ordered, .invoke, base)
    return true
  }

  /// The vectors of all tensors, one behind the other.
  /// - Throws: `EmbeddingFault`; what reading the elements throws.
  func vectors() throws -> (values: [Float], width: Int, layers: Int) {
    let (count, width) = try Self.shape(of: tensors[0])
    guard tensors.allSatisfy({ $0.shape == tensors[0].shape }) else {
      throw EmbeddingFault("vectors of different shapes")
    }
    let total = layout == .invoke ? tensors.count * count : count
    guard total <= EmbeddingFile.vectorLimit else {
      throw EmbeddingFault("\(total) vectors; a prompt has room for \(EmbeddingFile.vectorLimit) tokens")
    }
    var all: [Float] = []
    all.reserveCapacity(tensors.count * count * width)
    for tensor in tensors {
      guard let values = tensor.values else {
        throw EmbeddingFault("values of type \(tensor.type); an embedding holds floating-point numbers")
      }
      let vectors = try values()
      precondition(vectors.count == count * width)
      try Self.check(vectors, width: width)
      all += vectors
    }
    return (all, width, layout == .xti ? tensors.count : 1)
  }

  private static func shape(of tensor: EmbeddingContent.Tensor) throws -> (count: Int, width: Int) {
    guard (1...2).contains(tensor.shape.count), let width = tensor.shape.last else {
      throw EmbeddingFault("shape \(tensor.shape); an embedding is [width] or [vectors, width]")
    }
    let count = tensor.shape.count == 1 ? 1 : tensor.shape[0]
    guard count > 0, width > 0 else { throw EmbeddingFault("shape \(tensor.shape) holds no vector") }
    guard count <= EmbeddingFile.vectorLimit else {
      throw EmbeddingFault("\(count) vectors; a prompt has room for \(EmbeddingFile.vectorLimit) tokens")
    }
    guard width <= EmbeddingFile.widthLimit else { throw EmbeddingFault("\(width) wide; no text encoder is") }
    return (count, width)
  }

  private static func check(_ vectors: [Float], width: Int) throws {
    guard vectors.allSatisfy(\.isFinite) else {
      throw EmbeddingFault("values that are not finite (NaN or infinity); the training diverged, train again")
    }
    for start in stride(from: 0, to: vectors.count, by: width) {
      let squares = vectors[start..<start + width].reduce(0.0) { $0 + Double($1) * Double($1) }
      guard squares.squareRoot() <= Double(EmbeddingFile.normLimit) else {
        throw EmbeddingFault(
          "vector \(start / width + 1) has a norm over \(Int(EmbeddingFile.normLimit)); no trained embedding has")
      }
    }
  }
}
