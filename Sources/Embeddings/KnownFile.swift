/// A file of the embeddings folder, by its last good content and what is wrong with the present one.
struct KnownFile: Sendable {
  var embedding: LearnedEmbedding?
  var refusal: String?
  /// Of the content that was read; nil when it may have changed since without a trace.
  var stamp: FileStamp?
}
