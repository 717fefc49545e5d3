/// What a torch file holds: plain values and tensors, in the containers that they were saved in.
public indirect enum TorchValue: Sendable {
  case none
  case bool(Bool)
  case int(Int)
  case float(Double)
  case string(String)
  case list([TorchValue])
  case tuple([TorchValue])
  /// In the order of the file.
  case dictionary([Entry])
  case tensor(TorchTensor)
  /// An object that is no data (a set, a numpy scalar, a callback); it was not looked into.
  case opaque

  public enum Key: Sendable, Hashable {
    case string(String)
    case int(Int)
  }

  public struct Entry: Sendable {
    public let key: Key
    public let value: TorchValue
  }

  /// The value of a dictionary's key; nil when there is none or this is no dictionary.
  public subscript(key: String) -> TorchValue? {
    guard case .dictionary(let entries) = self else { return nil }
    return entries.first { $0.key == .string(key) }?.value
  }

  /// An element of a list or tuple; nil when there is none.
  public subscript(index: Int) -> TorchValue? {
    switch self {
    case .list(let values), .tuple(let values): values.indices.contains(index) ? values[index] : nil
    default: nil
    }
  }
}

extension TorchValue {
  /// Containers deeper than this are refused, as is a list in itself.
  private static let depthLimit = 64
  /// Values in all: shared ones count at each place, so that a few bytes cannot stand for 10^12 leaves.
  private static let nodeLimit = 200_000

  init(_ value: PickleValue, of machine: PickleMachine) throws {
    var nodes = 0
    self = try Self.convert(value, machine, depth: 0, nodes: &nodes)
  }

  private static func convert(
    _ value: PickleValue, _ machine: PickleMachine, depth: Int, nodes: inout Int
  ) throws -> TorchValue {
    nodes += 1
    guard nodes <= nodeLimit else { throw FormatFault("more than \(nodeLimit) values: too large") }
    guard depth <= depthLimit else { throw FormatFault("nested deeper than \(depthLimit)") }
    switch value {
    case .none: return .none
    case .bool(let value): return .bool(value)
    case .int(let value): return .int(Int(value))
    case .float(let value): return .float(value)
    case .string(let value): return .string(value)
    case .list(let index):
      return .list(try machine.sequences[index].map { try convert($0, machine, depth: depth + 1, nodes: &nodes) })
    case .tuple(let index):
      return .tuple(try machine.sequences[index].map { try convert($0, machine, depth: depth + 1, nodes: &nodes) })
    case .dictionary(let index), .parameterDictionary(let index):
      return .dictionary(
        try machine.dictionaries[index].entries.map { entry in
          Entry(
            key: Key(entry.key), value: try convert(entry.value, machine, depth: depth + 1, nodes: &nodes))
        })
    case .tensor(let tensor): return .tensor(tensor)
    case .bigInt, .storage, .global, .opaque: return .opaque
    }
  }
}

extension TorchValue.Key {
  init(_ key: PickleDictionary.Key) {
    switch key {
    case .text(let bytes): self = .string(String(decoding: bytes, as: UTF8.self))
    case .int(let value): self = .int(Int(value))
    }
  }
}
