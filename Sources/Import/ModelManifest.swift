import Errors
import Files
import Foundation
import Models

/// A model that can be had elsewhere, as `models-manifest/NAME.json` describes it.
public struct ModelManifest: Decodable, Sendable {
  public struct License: Decodable, Sendable {
    public let name: String
    public let url: String
  }

  /// A file to download.
  public struct File: Decodable, Sendable {
    /// Where it goes, below the model's download folder.
    public let path: String
    public let url: String
    /// nil where the publisher's is not known for certain.
    public let sha256: String?
    public let bytes: Int?
  }

  public let name: String
  public let title: String
  public let license: License
  /// What to import: one of the files, or `.` for a diffusers folder of all of them.
  public let source: String?
  public let files: [File]
  /// The folder of a model that comes with this program, instead of files.
  public let bundled: String?

  private enum CodingKeys: String, CodingKey { case name, title, license, source, files, bundled }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    name = try keys.decode(String.self, forKey: .name)
    title = try keys.decode(String.self, forKey: .title)
    license = try keys.decode(License.self, forKey: .license)
    source = try keys.decodeIfPresent(String.self, forKey: .source)
    files = try keys.decodeIfPresent([File].self, forKey: .files) ?? []
    bundled = try keys.decodeIfPresent(String.self, forKey: .bundled)
  }

  /// Reads the entry of `name` in the folder `manifests`.
  /// - Throws: `notFound` with the names that are there; `badFile` naming the file and what is wrong with it.
  public init(_ name: String, in manifests: String) throws {
    try ModelsFolder.check(name: name)
    let path = "\(manifests)/\(name).json"
    guard FileManager.default.fileExists(atPath: path) else {
      let there = Self.names(in: manifests).joined(separator: ", ")
      throw InversionError(.notFound, "'\(name)': not in the manifest '\(manifests)', which has \(there)")
    }
    do {
      self = try JSONDecoder().decode(Self.self, from: Data(readFile(path: path, limit: 1 << 20)))
    } catch let error as DecodingError {
      throw InversionError(.badFile, "'\(path)': \(decodingReason(error))")
    }
    if let problem { throw InversionError(.badFile, "'\(path)': \(problem)") }
  }

  /// The models that a folder of manifests has.
  public static func names(in manifests: String) -> [String] {
    let files = (try? FileManager.default.contentsOfDirectory(atPath: manifests)) ?? []
    return files.filter { $0.hasSuffix(".json") && !$0.hasSuffix(".schema.json") }.map { String($0.dropLast(5)) }
      .sorted()
  }

  /// Why it cannot be used, or nil.
  private var problem: String? {
    if bundled != nil { return files.isEmpty ? nil : "'bundled' and 'files' exclude each other" }
    guard let source, !files.isEmpty else { return "neither 'bundled' nor 'source' and 'files'" }
    for file in files {
      let parts = file.path.split(separator: "/", omittingEmptySubsequences: false)
      if parts.contains(where: { $0.isEmpty || $0.hasPrefix(".") }) {
        return "path '\(file.path)' is not one below a folder"
      }
      guard let url = URL(string: file.url), ["https", "http"].contains(url.scheme), url.host() != nil else {
        return "'\(file.url)' is no http or https URL"
      }
      let digits = Set("0123456789abcdef")
      if let sha256 = file.sha256, sha256.count != 64 || !sha256.allSatisfy(digits.contains) {
        return "sha256 '\(sha256)' is not 64 lower-case hexadecimal digits"
      }
    }
    if Set(files.map(\.path)).count != files.count { return "a path is there twice" }
    return source == "." || files.contains { $0.path == source } ? nil : "'source' '\(source)' is none of the files"
  }
}
