/// What a file of any kind holds, before it is known what of it is an embedding: named tensors and words about them.
struct EmbeddingContent {
  struct Tensor {
    let key: String
    let shape: [Int]
    /// The element type as the file calls it, for messages.
    let type: String
    /// The elements, row-major; nil when they are no floating-point numbers.
    let values: (() throws -> [Float])?
  }

  let container: EmbeddingContainer
  var tensors: [Tensor]
  /// A1111's and the paper's layout: the tensors stood in `string_to_param`.
  var layout: EmbeddingLayout?
  /// The word that the file carries beside the tensors' keys: A1111's `name`.
  var name: String?
  var metadata: [String: String] = [:]
}

/// Why a sound file was refused; the file's name comes with the `InversionError` that it becomes.
struct EmbeddingFault: Error {
  let reason: String

  init(_ reason: String) { self.reason = reason }
}
