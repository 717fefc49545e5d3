import Formats

/// What a word's file says of where it comes from, beyond what the trainer knows by itself.
public struct Provenance: Sendable, Equatable, Codable {
  /// SHA-256 of the base model's weights.
  public var modelHash: String?
  /// Of the layers, in the words of the flag; nil: the model's own.
  public var precision: String?
  /// Under which the word may be used: an SPDX name, or a sentence.
  public var licence: String?
  /// By whom and for what the pictures were given.
  public var consent: String?

  public init(
    modelHash: String? = nil, precision: String? = nil, licence: String? = nil, consent: String? = nil
  ) {
    (self.modelHash, self.precision, self.licence, self.consent) = (modelHash, precision, licence, consent)
  }

  /// All that another run needs to give the same vectors, and who may use them.
  func metadata(of trainer: Trainer) -> [String: String] {
    let settings = trainer.settings
    var words = [
      "base_model": trainer.model.name,
      "method": settings.method.rawValue,
      "initialization": settings.initialization.description,
      "steps": "\(trainer.bestStep)",
      "norm": settings.norm.rawValue,
      "learning_rate": settings.effectiveLearningRate.description,
      "batch": "\(settings.batch)",
      "accumulate": "\(settings.accumulate)",
      "templates": settings.templates.name,
      "timesteps": settings.timesteps.description,
      "seed": "\(settings.seed)",
      "pictures_sha256": trainer.pictures.map(\.sha256).joined(separator: " "),
    ]
    func say(_ key: String, _ value: (some CustomStringConvertible)?) { words[key] = value?.description }
    if !settings.initializer.isEmpty { words["initializer"] = settings.initializer }
    say("base_model_sha256", modelHash)
    say("precision", precision)
    say("licence", licence)
    say("consent", consent)
    say("min_snr", settings.loss.minSNR)
    say("average_decay", settings.averageDecay)
    say("gradient_clip", settings.gradientClip)
    if settings.loss.offsetNoise > 0 { words["offset_noise"] = "\(settings.loss.offsetNoise)" }
    if settings.loss.contextWeight > 0 { words["context_weight"] = "\(settings.loss.contextWeight)" }
    if settings.loss.isMasked { words["masked"] = "true" }
    if settings.keepsNorm { words["keep_norm"] = "true" }
    words.merge(settings.pictureWords) { $1 }
    if trainer.pictures.contains(where: \.caption.isWritten) {
      words["captions_sha256"] = sha256Hex(
        of: Array(trainer.pictures.map(\.caption.said).joined(separator: "\n\n").utf8))
    }
    if let guidance = settings.negativeGuidance {
      words["polarity"] = "negative"
      words["negative_guidance"] = "\(guidance)"
    }
    return words
  }
}

extension TrainingSettings {
  /// How pictures and captions were changed, where they were.
  fileprivate var pictureWords: [String: String] {
    var words: [String: String] = [:]
    if framing.crop != .center { words["crop"] = framing.crop.rawValue }
    if framing.flips { words["flip"] = "true" }
    if framing.usesBuckets { words["buckets"] = "true" }
    if captions.shufflesTags { words["shuffle_tags"] = "true" }
    if captions.tagDropOut > 0 { words["tag_drop_out"] = "\(captions.tagDropOut)" }
    return words
  }
}
