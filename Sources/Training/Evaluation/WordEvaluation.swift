/// How good one word is: how well it shows its concept, what prompts can still do with it, and what it is like.
public struct WordEvaluation: Sendable, Codable, Equatable {
  /// On pictures that the training has not seen.
  public struct Fidelity: Sendable, Codable, Equatable {
    public let pictures: Int
    /// Mean loss under the word, under its initializer where it has one, and under a caption without either.
    public let loss: Double
    public let initializerLoss: Double?
    public let plainLoss: Double
    /// Of the initializer's loss.
    public var gain: Double? { initializerLoss.map { 1 - loss / $0 } }
  }

  /// Which concept's pictures the word explains best, by how much of the loss without it it takes away.
  public struct Retrieval: Sendable, Codable, Equatable {
    /// From 1, of the word's own concept; nil where it is not among them.
    public let rank: Int?
    public let gains: [String: Double]
  }

  public let name: String
  public let vectors: Int
  public let method: String?
  public let fidelity: Fidelity?
  public let retrieval: Retrieval?
  public let editability: Editability?
  /// The same prompts with the initializer: what the model could do before.
  public let initializerEditability: Editability?
  public let health: EmbeddingHealth
}
