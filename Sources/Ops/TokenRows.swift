import Kernels

extension TokenEmbedding {
  /// A token's row, without its position: (channels).
  /// - Precondition: `id` is in the vocabulary.
  public func row(_ id: Int) -> [Float] {
    precondition((0..<vocabularySize).contains(id))
    let source = tokens.pointer + id * channels * tokens.dtype.byteCount
    return [Float](unsafeUninitializedCapacity: channels) { buffer, count in
      guard let target = UnsafeMutableRawPointer(buffer.baseAddress) else { return }
      let converted = convert(count: channels, from: source, as: tokens.dtype, to: target, as: .f32)
      precondition(converted, "a token table of \(tokens.dtype) cannot be read as f32")
      count = channels
    }
  }

  /// The mean length of the vocabulary's rows.
  public var meanNorm: Double {
    let norms = (0..<vocabularySize).map { id in
      row(id).reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
    }
    return norms.reduce(0, +) / Double(norms.count)
  }
}
