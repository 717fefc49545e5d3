import Errors
import Files
import Foundation

/// A list of words to learn in one run, each from its own pictures. They do not see each other: a run of several ends
/// with the same files as a run for each.
enum ConceptsFile {
  struct Concept: Decodable {
    let token: String
    let images: String
    let output: String
    let initWord: String?
    let vectors: Int?
  }

  /// - Throws: `fileUnavailable`, or `badFile` naming the entry and the field.
  static func read(_ path: String) throws -> [Concept] {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    func refusal(_ reason: String) -> InversionError {
      InversionError(
        .badFile,
        "'\(path)': \(reason); give a list such as [{\"token\": \"<cat>\", \"images\": \"cat/\", "
          + "\"output\": \"cat.safetensors\", \"init_word\": \"cat\"}]")
    }
    let concepts: [Concept]
    do {
      concepts = try decoder.decode([Concept].self, from: Data(readFile(path: path, limit: 1 << 20)))
    } catch let error as DecodingError {
      throw refusal(reason(error))
    }
    guard !concepts.isEmpty else { throw refusal("an empty list") }
    guard Set(concepts.map(\.output)).count == concepts.count else { throw refusal("two entries with one output") }
    return concepts
  }

  private static func reason(_ error: DecodingError) -> String {
    func place(_ path: [any CodingKey]) -> String {
      path.map { $0.intValue.map { "entry \($0 + 1)" } ?? "'\($0.stringValue)'" }.joined(separator: ", ")
    }
    return switch error {
    case .keyNotFound(let key, let context): "\(place(context.codingPath)) has no '\(key.stringValue)'"
    case .typeMismatch(_, let context), .valueNotFound(_, let context):
      "\(place(context.codingPath)) is of the wrong kind"
    default: "no JSON"
    }
  }
}
