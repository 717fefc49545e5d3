import Embeddings

/// What an embedding file holds, for `inspect` and `verify`.
struct EmbeddingReport: Encodable {
  let name: String
  let otherName: String?
  let kind: String
  let container: String
  let vectors: Int
  /// Sets of vectors: one, or one a cross-attention layer.
  let layers: Int
  let width: Int
  /// The models that have token embeddings of this width.
  let family: String?
  let norms: Norms
  let sha256: String
  let notes: [String]
  let metadata: [String: String]

  struct Norms: Encodable {
    let smallest: Double
    let mean: Double
    let largest: Double
  }

  init(_ embedding: LearnedEmbedding, notes: [String] = []) {
    name = embedding.name
    otherName = embedding.otherName
    kind = embedding.origin?.layout.rawValue ?? "-"
    container = embedding.origin?.container.rawValue ?? "-"
    vectors = embedding.count
    layers = embedding.layers
    width = embedding.width
    family = EmbeddingVocabulary.family(ofWidth: embedding.width)
    let all = embedding.norms
    norms = Norms(smallest: all.min() ?? 0, mean: embedding.meanNorm, largest: all.max() ?? 0)
    sha256 = embedding.sha256
    self.notes = embedding.notes + notes
    metadata = embedding.metadata
  }

  var rows: [[String]] {
    var rows = [
      ["name", name], ["other name", otherName ?? "-"], ["kind", "\(kind), \(container)"],
      ["vectors", layers == 1 ? "\(vectors) of \(width)" : "\(vectors) of \(width) for each of \(layers) layers"],
      ["made for", family ?? "an unknown model"],
      ["norms", "\(rounded(norms.smallest)) to \(rounded(norms.largest)), mean \(rounded(norms.mean))"],
      ["sha256", sha256],
    ]
    rows += notes.map { ["note", $0] }
    return rows + metadata.sorted { $0.key < $1.key }.map { ["metadata", "\($0.key) = \($0.value)"] }
  }
}
