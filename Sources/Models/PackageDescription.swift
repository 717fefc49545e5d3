import Errors
import Formats
import FoundationEssentials
import Kernels

/// `model.json` of a model package: what its weights are, how they are packed and where they came from.
package struct PackageDescription: Codable, Sendable {
  package static let fileName = "model.json"
  package static let format = "inversion-model"
  /// Grows with every change that an older reader would misread.
  package static let version = 1

  package var format = Self.format
  package var version = Self.version
  package var name: String
  /// How the int8 weights are laid out: `PackedWeight.packing`.
  package var packing = PackedWeight.packing
  /// The configs of the networks (`unet`, `text_encoder`, `vae`), as the source has them.
  package var networks: [String: JSONValue]
  package var scheduler: JSONValue
  package var tokenizer: Tokenizer
  /// Network, layer, precision.
  package var precision: [String: [String: LayerPrecision]]
  package var provenance: Provenance
  /// Every other file of the package by its path in it.
  package var files: [String: File]

  /// Either a folder of the package with transformers' files, or CLIP's own.
  package struct Tokenizer: Codable, Sendable {
    package var folder: String?
    /// CLIP's own padded with another token.
    package var pad: String?

    package init(folder: String? = nil, pad: String? = nil) {
      self.folder = folder
      self.pad = pad
    }
  }

  package struct Provenance: Codable, Sendable {
    /// The last component of the source's path.
    package var source: String
    /// Of each weights file of the source, by its path in it.
    package var sha256: [String: String]
    /// ISO 8601, UTC.
    package var date: String
    /// Program and version.
    package var tool: String

    package init(source: String, sha256: [String: String], date: String, tool: String) {
      self.source = source
      self.sha256 = sha256
      self.date = date
      self.tool = tool
    }
  }

  package struct File: Codable, Sendable, Equatable {
    package var bytes: Int
    package var sha256: String

    package init(bytes: Int, sha256: String) {
      self.bytes = bytes
      self.sha256 = sha256
    }
  }

  package init(
    name: String, networks: [String: JSONValue], scheduler: JSONValue, tokenizer: Tokenizer,
    precision: [String: [String: LayerPrecision]], provenance: Provenance, files: [String: File]
  ) {
    self.name = name
    self.networks = networks
    self.scheduler = scheduler
    self.tokenizer = tokenizer
    self.precision = precision
    self.provenance = provenance
    self.files = files
  }

  /// Reads and checks `model.json` of the package `folder`.
  /// - Throws: `fileUnavailable`; `badModel` naming the file and what is wrong with it.
  package init(folder: String) throws {
    let path = "\(folder)/\(Self.fileName)"
    let text = Data(try readFile(path: path, limit: 16 << 20))
    func refuse(_ reason: String) -> InversionError { InversionError(.badModel, "'\(path)': \(reason)") }
    do {
      let head = try JSONDecoder().decode(Head.self, from: text)
      guard head.format == Self.format else { throw refuse("not the description of a model package; import the model") }
      guard head.version == Self.version else {
        throw refuse(
          "format version \(head.version), this program reads \(Self.version); "
            + (head.version > Self.version ? "use a newer one" : "import the model again"))
      }
      self = try JSONDecoder().decode(Self.self, from: text)
    } catch let error as DecodingError {
      throw refuse("\(decodingReason(error)); import the model again")
    }
    guard packing == PackedWeight.packing else {
      throw refuse("packed as '\(packing)', this program reads '\(PackedWeight.packing)'; import the model again")
    }
    let outside =
      files.keys.filter { Self.leavesFolder($0) } + [tokenizer.folder ?? ""].filter { Self.leavesFolder($0) }
    if let outside = outside.first {
      throw refuse("the file '\(outside)' is not in the package; import the model again")
    }
  }

  /// What tells whether the rest can be read.
  private struct Head: Decodable {
    let format: String
    let version: Int
  }

  private static func leavesFolder(_ path: String) -> Bool {
    path.hasPrefix("/") || path.split(separator: "/").contains("..")
  }

  package func json() throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return [UInt8](try encoder.encode(self)) + [UInt8(ascii: "\n")]
  }
}
