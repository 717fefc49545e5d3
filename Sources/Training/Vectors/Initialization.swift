import Embeddings
import Errors
import Models
import Ops
import Tensors

/// What the vectors of a word start from.
public enum Initialization: Sendable, Equatable, Codable {
  /// The vectors of the initializer, one a word; taken in turn where the learned word has more.
  case words
  /// The text encoder's output at the initializer's words (Cross Initialization, 2023): near where training ends.
  case encoderOutput
  /// The vectors of an embedding that has been learned before.
  case file(String)
  case zeros

  /// Reads `words`, `encoder`, `zeros` or the path of an embedding file.
  public init(text: String) {
    self =
      switch text {
      case "words": .words
      case "encoder": .encoderOutput
      case "zeros": .zeros
      default: .file(text)
      }
  }

  public var description: String {
    switch self {
    case .words: "words"
    case .encoderOutput: "encoder"
    case .file(let path): path
    case .zeros: "zeros"
    }
  }
}

/// The rows that a training starts from.
struct InitialVectors: Sendable {
  /// (n, width)
  let rows: [Double]
  let width: Int
  /// Of the initializer's words; empty where there are none.
  let ids: [Int]

  /// - Throws: `invalidArgument`, `badEmbedding` or what the reading of the file throws.
  init(_ settings: TrainingSettings, model: DiffusionModel) throws {
    width = model.textEncoder.config.hiddenSize
    ids = settings.initializer.isEmpty ? [] : try model.initializerIDs(settings.initializer)
    switch settings.initialization {
    case .words, .encoderOutput:
      guard !ids.isEmpty else {
        throw InversionError(.invalidArgument, "initializer word '' is empty; choose one plain word that comes near")
      }
      let count = settings.vectors ?? ids.count
      guard count >= ids.count else {
        throw InversionError(
          .invalidArgument,
          "'\(count)' vectors: the initializer '\(settings.initializer)' has \(ids.count) words; give as many vectors")
      }
      let found = settings.initialization == .words ? model.tableRows(ids) : model.encoderRows(ids)
      rows = (0..<count).flatMap { found[$0 % found.count] }
    case .zeros:
      rows = Array(repeating: 0, count: (settings.vectors ?? 1) * width)
    case .file(let path):
      let word = try EmbeddingFile.read(path)
      guard word.width == width, !word.isPerLayer else {
        throw InversionError(
          .badEmbedding, "'\(path)': not one vector of \(width) numbers a token, which '\(model.name)' needs")
      }
      guard settings.vectors == nil || settings.vectors == word.count else {
        throw InversionError(
          .invalidArgument,
          "'\(settings.vectors ?? 0)' vectors: '\(path)' has \(word.count); leave '--vectors' out, or give as many")
      }
      rows = word.vectors.map(Double.init)
    }
  }

  var count: Int { rows.count / width }
}

extension DiffusionModel {
  /// The tokens of an initializer, one a word.
  /// - Throws: `invalidArgument` when a word is no single token.
  func initializerIDs(_ text: String) throws -> [Int] {
    let words = text.split(whereSeparator: \.isWhitespace)
    return words.isEmpty ? [try initializerID(text)] : try words.map { try initializerID(String($0)) }
  }

  fileprivate func tableRows(_ ids: [Int]) -> [[Double]] {
    ids.map { textEncoder.embeddings.row($0).map(Double.init) }
  }

  /// What the text encoder makes of the words alone, at their own positions.
  fileprivate func encoderRows(_ ids: [Int]) -> [[Double]] {
    guard let framed = try? framed(ids) else { preconditionFailure("an initializer is shorter than a prompt") }
    let states = textEncoder([framed], on: Tape(recording: false)).doubles
    let width = textEncoder.config.hiddenSize
    // After the start token.
    return ids.indices.map { Array(states[($0 + 1) * width..<($0 + 2) * width]) }
  }
}

extension TrainingSettings {
  /// What moves the vectors.
  func optimizer(_ initial: InitialVectors, _ table: TokenEmbedding) throws -> any EmbeddingOptimizer {
    let first = initial.rows[..<initial.width]
    let length =
      switch norm {
      case .vocabulary: table.meanNorm
      case .initializer: Training.norm(first)
      }
    let isZero = stride(from: 0, to: initial.rows.count, by: initial.width).contains { start in
      initial.rows[start..<start + initial.width].allSatisfy { $0 == 0 }
    }
    guard !isZero || (method == .plain && !keepsNorm) else {
      throw InversionError(
        .invalidArgument, "vectors of zeros have no direction: give '--method ti' without '--keep-norm', or other ones")
    }
    switch method {
    case .plain:
      let pull = initialization == .encoderOutput ? Self.crossInitializationPull : 0
      return AdamW(
        rows: initial.rows, width: initial.width, norm: keepsNorm ? length : nil,
        anchor: pull > 0 ? AdamW.Anchor(rows: initial.rows, weight: pull) : nil)
    case .directional: return DirectionalDescent(rows: initial.rows, width: initial.width, norm: length)
    }
  }

  /// L2 weight that holds the vectors near the text encoder's output, as Cross Initialization has it.
  private static let crossInitializationPull = 1e-5
}
