import Errors
import FoundationEssentials

/// Reads a diffusers config file.
/// - Throws: `badModel` naming the file, the key and what is wrong with it.
func decodeConfig<Config: Decodable>(_ type: Config.Type, from json: [UInt8], path: String) throws -> Config {
  let decoder = JSONDecoder()
  decoder.keyDecodingStrategy = .convertFromSnakeCase
  do {
    return try decoder.decode(type, from: Data(json))
  } catch let error as InversionError {
    throw InversionError(error.code, "'\(path)': \(error.message)")
  } catch let error as DecodingError {
    throw InversionError(.badModel, "'\(path)': \(decodingReason(error)); use the model's own config")
  }
}

/// What is wrong, and with which key.
package func decodingReason(_ error: DecodingError) -> String {
  func key(_ context: DecodingError.Context) -> String {
    context.codingPath.map(\.stringValue).joined(separator: ".")
  }
  switch error {
  case .keyNotFound(let missing, _): return "no key '\(missing.stringValue)'"
  case .typeMismatch(_, let context), .valueNotFound(_, let context): return "key '\(key(context))' has a wrong type"
  case .dataCorrupted(let context): return key(context).isEmpty ? "not JSON" : "key '\(key(context))' is malformed"
  @unknown default: return "not a config"
  }
}

/// A config value that is one number for all blocks or a list with one for each.
struct PerBlock<Value: Decodable & Sendable>: Decodable, Sendable {
  private let values: [Value]
  private let isList: Bool

  init(_ value: Value) {
    values = [value]
    isList = false
  }

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let list = try? container.decode([Value].self) {
      (values, isList) = (list, true)
    } else {
      (values, isList) = ([try container.decode(Value.self)], false)
    }
  }

  /// One value a block.
  /// - Throws: `badModel` when a list has another number of entries.
  func expanded(to blocks: Int, _ key: String) throws -> [Value] {
    guard isList else { return Array(repeating: values[0], count: blocks) }
    guard values.count == blocks else {
      throw InversionError(.badModel, "'\(key)' has \(values.count) entries for \(blocks) blocks")
    }
    return values
  }

  /// The first value, for keys where a list means (height, width).
  var first: Value? { values.first }
}

extension KeyedDecodingContainer {
  /// The value, or `fallback` where the key is absent or null.
  func value<Value: Decodable>(_ key: Key, or fallback: Value) throws -> Value {
    try decodeIfPresent(Value.self, forKey: key) ?? fallback
  }

  /// Refuses a config that switches on something the engine does not have.
  func refuse(_ key: Key, unless allowed: String...) throws {
    guard contains(key), try !decodeNil(forKey: key) else { return }
    let value: String
    if let text = try? decode(String.self, forKey: key) {
      value = text
    } else if let flag = try? decode(Bool.self, forKey: key) {
      value = "\(flag)"
    } else if let number = try? decode(Double.self, forKey: key) {
      value = "\(number)"
    } else {
      value = "…"
    }
    guard allowed.contains(value) else {
      throw InversionError(.badModel, "'\(key.stringValue)' is '\(value)', which this engine does not have")
    }
  }
}
