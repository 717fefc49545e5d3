import Errors
import Formats
import Images

/// The kinds of file that can be written.
public enum EmbeddingFormat: String, Sendable, CaseIterable {
  /// safetensors with the word as the key, which every tool reads.
  case diffusers
  /// A torch file with AUTOMATIC1111's dictionary.
  case a1111
  /// A PNG that carries AUTOMATIC1111's dictionary in its text and in its pixels.
  case card
  /// safetensors with the key `emb_params`; for XTI, with a key a layer.
  case kohya

  /// The usual kind for a file's name; nil for another ending.
  public init?(path: String) {
    switch EmbeddingContainer(path: path) {
    case .safetensors: self = .diffusers
    case .torch: self = .a1111
    case .png: self = .card
    case .gguf, .webp, nil: return nil
    }
  }

  public var container: EmbeddingContainer {
    switch self {
    case .diffusers, .kohya: .safetensors
    case .a1111: .torch
    case .card: .png
    }
  }
}

extension EmbeddingFile {
  /// Writes an embedding as one f32 tensor (vectors, width).
  /// - Parameter picture: what a card shows; a plain one where nil.
  /// - Throws: `.fileUnavailable`; `.badEmbedding` for vectors a layer, which only kohya's kind can hold. A file that
  ///   was there before stays.
  public static func write(
    _ embedding: LearnedEmbedding, to path: String, as format: EmbeddingFormat = .diffusers, picture: Picture? = nil
  ) throws(InversionError) {
    guard !embedding.isPerLayer || format == .kohya else {
      throw InversionError(
        .badEmbedding, "'\(embedding.name)': vectors for each layer (XTI), which only kohya's format holds; use 'kohya'"
      )
    }
    do {
      switch format {
      case .diffusers: try writeDiffusers(embedding, to: path)
      case .kohya: try writeKohya(embedding, to: path)
      case .a1111: try AtomicFile.write(TorchWriter.bytes(of: embedding.dictionary), path: path)
      case .card: try AtomicFile.write(EmbeddingCard.png(of: embedding, picture: picture), path: path)
      }
    } catch let error as InversionError {
      throw error
    } catch {
      throw InversionError(.fileUnavailable, "'\(path)': \(error)")
    }
  }

  /// One tensor under the trigger word; other loaders refuse a file with more.
  private static func writeDiffusers(_ embedding: LearnedEmbedding, to path: String) throws {
    var writer = SafetensorsWriter(metadata: embedding.metadata)
    writer.add(embedding.name, shape: [embedding.count, embedding.width], values: embedding.vectors)
    try writer.write(to: path)
  }

  private static func writeKohya(_ embedding: LearnedEmbedding, to path: String) throws {
    var metadata = embedding.metadata
    metadata["modelspec.title"] = embedding.name
    var writer = SafetensorsWriter(metadata: metadata)
    let keys = embedding.isPerLayer ? EmbeddingInterpretation.layerKeys : ["emb_params"]
    let each = embedding.count * embedding.width
    for (layer, key) in keys.enumerated() {
      writer.add(
        key, shape: [embedding.count, embedding.width],
        values: Array(embedding.vectors[layer * each..<(layer + 1) * each]))
    }
    try writer.write(to: path)
  }
}

extension LearnedEmbedding {
  /// A1111's dictionary. Its readers want all of these keys.
  fileprivate var dictionary: TorchWriter.Value {
    .dictionary([
      ("string_to_token", .dictionary([("*", .int(265))])),
      ("string_to_param", .dictionary([("*", .tensor(shape: [count, width], values: vectors))])),
      ("name", .string(name)), ("step", metadata["step"].flatMap { Int32($0) }.map { .int($0) } ?? .none),
      ("sd_checkpoint", metadata["sd_checkpoint"].map { .string($0) } ?? .none),
      ("sd_checkpoint_name", metadata["sd_checkpoint_name"].map { .string($0) } ?? .none),
    ])
  }
}
