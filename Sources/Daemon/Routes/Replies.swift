import Embeddings
import Errors
import Generation
import Wire

// The engine's types in the words of the protocol.

extension ErrorReply {
  public init(_ error: InversionError) {
    self.init(code: error.code.rawValue, message: error.message)
  }
}

extension EmbeddingUse {
  init(used: [UsedEmbedding], unused: [UnusedEmbedding]) {
    self.init(
      used: used.map {
        Used(
          name: $0.name, sha256: $0.sha256, generation: $0.generation, vectors: $0.vectors, notes: $0.notes)
      },
      unused: unused.map { Unused(name: $0.name, reason: $0.reason) })
  }
}

extension EmbeddingReply {
  init(_ embedding: LearnedEmbedding, in table: EmbeddingTable) {
    self.init(
      name: embedding.name, aliases: table.aliases(of: embedding.name), file: table.files[embedding.name] ?? "",
      vectors: embedding.count, width: embedding.width, sha256: embedding.sha256, generation: embedding.generation,
      metadata: embedding.metadata, kind: embedding.origin?.description ?? "", norm: embedding.meanNorm,
      notes: embedding.notes)
  }
}

extension EmbeddingsReply {
  init(_ table: EmbeddingTable) {
    self.init(
      generation: table.generation,
      embeddings: table.embeddings.values.sorted { $0.name < $1.name }.map { EmbeddingReply($0, in: table) },
      rejected: table.rejected.map { RejectedReply(file: $0.path, reason: $0.reason) })
  }
}

extension ModelReply {
  init(name: String, _ maker: any PictureMaker) {
    self.init(name: name, nativeSize: maker.nativeSize, embeddingWidth: maker.embeddingWidth)
  }
}
