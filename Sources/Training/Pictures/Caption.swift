import Errors
import Models
import Schedules

/// What captions lose and shuffle, so that the word does not lean on them.
public struct CaptionSettings: Sendable, Equatable, Codable {
  /// The tags of `[filewords]`, between commas, come in another order each time.
  public var shufflesTags = false
  /// Probability with which a tag is left out.
  public var tagDropOut = 0.0

  public init() {}

  func check() throws {
    guard tagDropOut.isFinite, (0...1).contains(tagDropOut) else {
      throw InversionError(.invalidArgument, "a tag drop-out of '\(tagDropOut)': give a probability, 0 to 1")
    }
  }
}

/// A caption as token ids, its tags apart so that they can be shuffled and left out.
struct Caption: Sendable {
  private enum Part: Sendable {
    case text([Int])
    /// Where the learned word stands.
    case gap
    case tags([[Int]])
  }

  private let parts: [Part]
  /// What stands between tags.
  private let separator: [Int]

  /// - Parameters:
  ///   - template: with a gap, and perhaps `[filewords]`.
  ///   - words: what `[filewords]` says.
  init(_ template: String, words: String, model: DiffusionModel) {
    func ids(_ text: some StringProtocol) -> [Int] { model.tokenizer.encode(String(text)).map(Int.init) }
    separator = ids(",")
    let tags = words.split(separator: ",").map(\.trimmingSpaces).filter { !$0.isEmpty }.map(ids)
    var parts: [Part] = []
    for (index, piece) in template.pieces.enumerated() {
      if index > 0 { parts.append(.gap) }
      for (place, text) in piece.pieces(around: PromptTemplates.fileWords).enumerated() {
        if place > 0 { parts.append(.tags(tags)) }
        parts.append(.text(ids(text)))
      }
    }
    self.parts = parts
  }

  /// The caption as it stands, framed for the text encoder.
  /// - Parameter word: ids of the vocabulary, or behind it.
  /// - Throws: `promptTooLong`.
  func ids(word: [Int], model: DiffusionModel) throws -> [Int] { try model.framed(unframed(word: word) { $0 }) }

  /// The caption with its tags shuffled and thinned: never longer than as it stands.
  func ids(word: [Int], model: DiffusionModel, _ settings: CaptionSettings, noise: inout PhiloxNoise) -> [Int] {
    let ids = unframed(word: word) { tags in settings.changed(tags, noise: &noise) }
    guard let framed = try? model.framed(ids) else { preconditionFailure("the whole caption fitted") }
    return framed
  }

  private func unframed(word: [Int], tags change: ([[Int]]) -> [[Int]]) -> [Int] {
    parts.flatMap { part in
      switch part {
      case .text(let ids): ids
      case .gap: word
      case .tags(let tags): Array(change(tags).joined(separator: separator))
      }
    }
  }
}

extension CaptionSettings {
  /// Draws only where it must, so that trainings without tags are not changed by what they do not use.
  fileprivate func changed(_ tags: [[Int]], noise: inout PhiloxNoise) -> [[Int]] {
    var tags = tags
    if tagDropOut > 0, !tags.isEmpty {
      let draws = noise.integers(tags.count, in: 0..<Self.resolution)
      let bound = Int(tagDropOut * Double(Self.resolution))
      tags = zip(tags, draws).filter { $0.1 >= bound }.map(\.0)
    }
    if shufflesTags, tags.count > 1 {
      let keys = noise.integers(tags.count, in: 0..<Self.resolution)
      tags = zip(tags, keys).enumerated().sorted { ($0.element.1, $0.offset) < ($1.element.1, $1.offset) }
        .map(\.element.0)
    }
    return tags
  }

  private static let resolution = 1 << 30
}
