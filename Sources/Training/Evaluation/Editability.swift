import Images

/// Whether prompts with a word are obeyed, as far as pixels show it: the colour of the background, and the style.
public struct Editability: Sendable, Codable, Equatable {
  public struct Answer: Sendable, Codable, Equatable {
    public let prompt: String
    public let seed: UInt64
    public let isObeyed: Bool
  }

  public let colours: [Answer]
  public let styles: [Answer]
  /// Mean distance of pictures of one prompt from different seeds, as the root of the mean square over pixels, 0 to 1.
  public let diversity: Double

  public var colourShare: Double { Self.share(colours) }
  public var styleShare: Double { Self.share(styles) }

  private static func share(_ answers: [Answer]) -> Double {
    Double(answers.count { $0.isObeyed }) / Double(max(answers.count, 1))
  }

  /// Draws and judges the pictures.
  /// - Parameters:
  ///   - word: as prompts have it.
  ///   - seeds: of each prompt; at least two.
  ///   - draw: makes a picture of a prompt from a seed.
  public init(word: String, seeds: Int, draw: (String, UInt64) throws -> Picture) throws {
    precondition(seeds >= 2)
    let seeds = (0..<seeds).map(UInt64.init)
    let plain = try seeds.map { try draw("a photo of a \(word)", $0) }
    diversity = Self.meanDistance(plain)
    colours = try Self.askedColours.flatMap { colour in
      let prompt = "a photo of a \(word) on a \(colour) background"
      return try seeds.map { seed in
        let readings = PictureReadings(try draw(prompt, seed))
        return Answer(prompt: prompt, seed: seed, isObeyed: readings.backgroundName == colour)
      }
    }
    let references = plain.map(PictureReadings.init)
    styles = try Style.allCases.flatMap { style in
      let prompt = style.prompt(word)
      return try seeds.map { seed in
        let readings = PictureReadings(try draw(prompt, seed))
        return Answer(prompt: prompt, seed: seed, isObeyed: style.isShown(readings, against: references[Int(seed)]))
      }
    }
  }

  private static let askedColours = ["white", "black", "red", "yellow", "green", "blue"]

  private static func meanDistance(_ pictures: [Picture]) -> Double {
    let pairs = pictures.indices.flatMap { a in pictures.indices.filter { $0 > a }.map { (a, $0) } }
    return mean(pairs.map { distance(pictures[$0], pictures[$1]) })
  }

  private static func distance(_ a: Picture, _ b: Picture) -> Double {
    let squares = zip(a.pixels, b.pixels).reduce(0.0) { sum, pair in
      let difference = (Double(pair.0) - Double(pair.1)) / 255
      return sum + difference * difference
    }
    return (squares / Double(a.pixels.count)).squareRoot()
  }
}

/// A style whose mark is read against the plain picture from the same seed.
private enum Style: CaseIterable {
  case sketch, silhouette, pixelArt

  func prompt(_ word: String) -> String {
    switch self {
    case .sketch: "a sketch of a \(word)"
    case .silhouette: "a silhouette of a \(word)"
    case .pixelArt: "pixel art of a \(word)"
    }
  }

  func isShown(_ readings: PictureReadings, against plain: PictureReadings) -> Bool {
    switch self {
    case .sketch: readings.colourfulness < 0.5 * plain.colourfulness
    case .silhouette: readings.contrast < 0.5 * plain.contrast
    case .pixelArt: readings.blockiness > 1.5 * plain.blockiness
    }
  }
}
