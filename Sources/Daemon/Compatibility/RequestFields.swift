import FoundationEssentials
import HummingbirdCore
import NIOCore

/// A field has a value of the wrong kind: FastAPI's and pydantic's words for it, which clients of A1111 know.
struct FieldError: Error {
  let field: String
  let message: String
  let type: String
}

/// The fields of a JSON object or a form. A field that is missing and one that is null are the same; numbers may come
/// as text, as forms and pydantic have it.
struct RequestFields {
  var object: [String: JSONValue]

  init(_ object: [String: JSONValue]) { self.object = object }

  /// - Throws: `FieldError` when the body is no JSON object.
  init(json body: ByteBuffer) throws(FieldError) {
    guard let value = try? JSONDecoder().decode(JSONValue.self, from: Data(body.readableBytesView)),
      case .object(let object) = value
    else { throw FieldError(field: "", message: "value is not a valid dict", type: "type_error.dict") }
    self.init(object)
  }

  subscript(_ field: String) -> JSONValue? {
    let value = object[field]
    return value == .null ? nil : value
  }

  func string(_ field: String) throws(FieldError) -> String? {
    switch self[field] {
    case nil: return nil
    case .string(let text): return text
    case .integer(let value): return "\(value)"
    case .number(let value): return "\(value)"
    default: throw FieldError(field: field, message: "str type expected", type: "type_error.str")
    }
  }

  func integer(_ field: String) throws(FieldError) -> Int64? {
    switch self[field] {
    case nil: return nil
    case .integer(let value): return value
    case .number(let value):
      if let whole = Int64(exactly: value) { return whole }
    case .string(let text):
      if let whole = Int64(text) { return whole }
    default: break
    }
    throw FieldError(field: field, message: "value is not a valid integer", type: "type_error.integer")
  }

  func int(_ field: String) throws(FieldError) -> Int? { try integer(field).map { Int($0) } }

  func double(_ field: String) throws(FieldError) -> Double? {
    switch self[field] {
    case nil: return nil
    case .integer(let value): return Double(value)
    case .number(let value): return value
    case .string(let text):
      if let value = Double(text), value.isFinite { return value }
    default: break
    }
    throw FieldError(field: field, message: "value is not a valid float", type: "type_error.float")
  }

  func bool(_ field: String) throws(FieldError) -> Bool? {
    switch self[field] {
    case nil: return nil
    case .bool(let value): return value
    case .integer(0), .string("false"), .string("0"): return false
    case .integer(1), .string("true"), .string("1"): return true
    default:
      throw FieldError(field: field, message: "value could not be parsed to a boolean", type: "type_error.bool")
    }
  }

  func fields(_ field: String) throws(FieldError) -> RequestFields {
    switch self[field] {
    case nil: return RequestFields([:])
    case .object(let object): return RequestFields(object)
    default: throw FieldError(field: field, message: "value is not a valid dict", type: "type_error.dict")
    }
  }

  func array(_ field: String) throws(FieldError) -> [JSONValue] {
    switch self[field] {
    case nil: return []
    case .array(let values): return values
    default: throw FieldError(field: field, message: "value is not a valid list", type: "type_error.list")
    }
  }
}
