import Kernels
import Tensors

/// The token embedding table (vocabulary, C) in its file's own dtype, read row by row, and positions (tokens, C).
public struct TokenEmbedding: Sendable {
  public let tokens: Weight
  public let positions: Weight

  public init(tokens: Weight, positions: Weight) {
    precondition(tokens.shape.count == 2 && positions.shape.count == 2 && tokens.shape[1] == positions.shape[1])
    precondition(tokens.dtype.isFloatingPoint && positions.dtype.isFloatingPoint)
    self.tokens = tokens
    self.positions = positions
  }

  public var vocabularySize: Int { tokens.shape[0] }
  public var channels: Int { tokens.shape[1] }
}

extension Tape {
  /// ids (B, N) -> (B, N, C): table row plus position row. Ids from the vocabulary's size on take rows of `learned`.
  public func tokenEmbedding(_ ids: [[Int]], _ table: TokenEmbedding, learned: Activation? = nil) -> Activation {
    let (count, channels) = (ids[0].count, table.channels)
    precondition(ids.allSatisfy { $0.count == count } && count <= table.positions.shape[0])
    precondition(learned.map { $0.channels == channels } ?? true)
    let shape = [ids.count, count, channels]
    let y = learned.map { output(shape, of: $0) } ?? output(shape)
    let position = allocate([channels])
    for (row, id) in ids.joined().enumerated() {
      let target = y.at(row * channels)
      if id < table.vocabularySize {
        widen(table.tokens, row: id, into: target)
      } else if let learned {
        let source = learned.at((id - table.vocabularySize) * channels)
        precondition(id - table.vocabularySize < learned.rows)
        target.copyMemory(from: source, byteCount: channels * dtype.byteCount)
      } else {
        preconditionFailure("token id \(id) is outside the vocabulary")
      }
      widen(table.positions, row: row % count, into: position.pointer)
      kernels.add(channels, target, position.pointer, target)
    }
    if let learned {
      record(
        y,
        TokenEmbeddingRecord(
          ids: Array(ids.joined()), vocabularySize: table.vocabularySize, learned: learned.slot,
          shape: learned.shape))
    }
    return y
  }

  /// The learned rows collect from every position that shows them.
  func tokenEmbeddingInputGradient(
    _ dy: Activation, ids: [Int], vocabularySize: Int, shape: [Int]
  ) -> Activation {
    let dx = allocate(shape)
    dx.pointer.initializeMemory(as: UInt8.self, repeating: 0, count: dx.count * dtype.byteCount)
    for (row, id) in ids.enumerated() where id >= vocabularySize {
      let target = dx.at((id - vocabularySize) * dy.channels)
      kernels.add(dy.channels, target, dy.at(row * dy.channels), target)
    }
    return dx
  }

  private func widen(_ weight: Weight, row: Int, into target: UnsafeMutableRawPointer) {
    let channels = weight.shape[1]
    let source = weight.pointer + row * channels * weight.dtype.byteCount
    let converted = convert(count: channels, from: source, as: weight.dtype, to: target, as: dtype)
    precondition(converted, "a token table of \(weight.dtype) cannot be read as \(dtype)")
  }
}

private struct TokenEmbeddingRecord: TapeRecord {
  let ids: [Int]
  let vocabularySize: Int
  let learned: Int?
  let shape: [Int]

  func inputGradients(_ dy: Activation, on tape: Tape) {
    tape.accumulate(
      tape.tokenEmbeddingInputGradient(dy, ids: ids, vocabularySize: vocabularySize, shape: shape), for: learned)
  }
}
