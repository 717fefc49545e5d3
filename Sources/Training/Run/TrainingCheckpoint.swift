import Errors
import Files
import Formats
import FoundationEssentials

/// A training that can go on: what it is, and how far it has come. One JSON file; numbers are written with as many
/// digits as make them the same again.
public struct TrainingCheckpoint: Codable {
  /// What must be equal for a state to mean the same.
  struct Identity: Codable, Equatable {
    let model: String
    let modelHash: String?
    let precision: String?
    let settings: TrainingSettings
    /// Of the pictures' files and of what is said about them.
    let pictures: [String]
    let validationPictures: [String]
  }

  private static let kind = "inversion training checkpoint"
  private static let version = 2
  private static let byteLimit = 1 << 30

  private let kind: String
  private let version: Int
  let identity: Identity
  let state: TrainingState

  public var isFinished: Bool { state.step >= identity.settings.steps || state.hasStopped }
  public var step: Int { state.step }

  /// - Throws: `fileUnavailable`, or `badFile` for anything but a checkpoint.
  public init(path: String) throws {
    let bytes = try readFile(path: path, limit: Self.byteLimit)
    func refusal(_ reason: String) -> InversionError {
      InversionError(.badFile, "'\(path)': \(reason); train anew with '--restart'")
    }
    struct Head: Decodable { let kind: String, version: Int }
    guard let head = try? JSONDecoder().decode(Head.self, from: Data(bytes)), head.kind == Self.kind else {
      throw refusal("no checkpoint of a training")
    }
    guard head.version == Self.version else { throw refusal("a checkpoint of version \(head.version)") }
    do {
      self = try JSONDecoder().decode(TrainingCheckpoint.self, from: Data(bytes))
    } catch {
      throw refusal("a damaged checkpoint")
    }
  }

  init(_ trainer: Trainer, _ provenance: Provenance) {
    (kind, version) = (Self.kind, Self.version)
    identity = trainer.identity(provenance)
    state = trainer.state
  }

  func write(to path: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    try AtomicFile.write(Array(encoder.encode(self)), path: path)
  }
}

extension Trainer {
  func identity(_ provenance: Provenance) -> TrainingCheckpoint.Identity {
    TrainingCheckpoint.Identity(
      model: model.name, modelHash: provenance.modelHash, precision: provenance.precision, settings: settings,
      pictures: pictures.map(\.identity), validationPictures: validationPictures.map(\.identity))
  }

  /// Goes on from a checkpoint of the same training.
  /// - Throws: `invalidArgument` naming the first thing in which the checkpoint is another training's.
  public func resume(_ checkpoint: TrainingCheckpoint, path: String, _ provenance: Provenance) throws {
    let (own, other) = (identity(provenance), checkpoint.identity)
    func refusal(_ reason: String) -> InversionError {
      InversionError(.invalidArgument, "'\(path)': \(reason); give what it was begun with, or begin anew: '--restart'")
    }
    guard own.model == other.model, own.modelHash == other.modelHash else {
      throw refusal("of a training on another model, '\(other.model)'")
    }
    guard own.precision == other.precision else {
      throw refusal("of a training in '\(other.precision ?? "its own")' precision")
    }
    guard own.pictures == other.pictures else {
      throw refusal("of a training on other pictures or captions (\(other.pictures.count), here \(own.pictures.count))")
    }
    guard own.validationPictures == other.validationPictures else {
      throw refusal("of a training with other validation pictures")
    }
    if let difference = try own.settings.firstDifference(from: other.settings) {
      throw refusal("of a training with other settings, \(difference)")
    }
    guard checkpoint.state.optimizer.rows.count == state.optimizer.rows.count,
      checkpoint.state.source.turns.count == state.source.turns.count
    else { throw InversionError(.badFile, "'\(path)': a damaged checkpoint; train anew with '--restart'") }
    state = checkpoint.state
  }
}

extension ConceptPicture {
  /// Of file, captions and masks.
  fileprivate var identity: String {
    sha256Hex(of: Array("\(sha256)\n\(caption.said)".utf8) + views.flatMap { $0.mask?.pixels ?? [] })
  }
}

extension TrainingSettings {
  /// The first setting that differs, in words; nil where none does.
  func firstDifference(from other: TrainingSettings) throws -> String? {
    let (own, others) = (try words(), try other.words())
    for key in Set(own.keys).union(others.keys).sorted() where own[key] != others[key] {
      return "'\(key)' is \(others[key] ?? "not set") there, \(own[key] ?? "not set") here"
    }
    return nil
  }

  /// Every setting by its name, as JSON writes its value.
  func words() throws -> [String: String] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    let fields = try JSONDecoder().decode([String: SettingValue].self, from: encoder.encode(self))
    return try fields.mapValues { String(decoding: try encoder.encode($0), as: UTF8.self) }
  }
}

/// Any JSON value.
private indirect enum SettingValue: Codable {
  case flag(Bool)
  case number(Double)
  case text(String)
  case list([SettingValue])
  case fields([String: SettingValue])

  init(from decoder: any Decoder) throws {
    let value = try decoder.singleValueContainer()
    if let flag = try? value.decode(Bool.self) {
      self = .flag(flag)
    } else if let number = try? value.decode(Double.self) {
      self = .number(number)
    } else if let text = try? value.decode(String.self) {
      self = .text(text)
    } else if let list = try? value.decode([SettingValue].self) {
      self = .list(list)
    } else {
      self = .fields(try value.decode([String: SettingValue].self))
    }
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .flag(let value): try container.encode(value)
    case .number(let value): try container.encode(value)
    case .text(let value): try container.encode(value)
    case .list(let value): try container.encode(value)
    case .fields(let value): try container.encode(value)
    }
  }
}
