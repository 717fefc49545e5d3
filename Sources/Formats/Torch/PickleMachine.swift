/// Runs the part of Python's pickle language that torch's files use, and cannot run anything else.
///
/// No opcode imports, calls or constructs what the tables of `PickleGlobal` do not name. Every opcode consumes bytes,
/// so that the length of the file bounds the work.
struct PickleMachine {
  static let lineLimit = 256

  /// Where `list` and `tuple` values point.
  var sequences: [[PickleValue]] = []
  var dictionaries: [PickleDictionary] = []
  /// Every storage that a persistent id names, by its key.
  private(set) var storages: [String: TorchStorage] = [:]

  private var stack: [PickleValue] = []
  /// Where the stack stood at each mark.
  private var marks: [Int] = []
  private var memo: [UInt32: PickleValue] = [:]
  private let allowsModules: Bool

  /// - Parameter allowsModules: whether persistent ids may name the classes of modules, as in torch's legacy files.
  init(allowsModules: Bool) { self.allowsModules = allowsModules }

  /// Runs one pickle up to its STOP and gives its value.
  mutating func run(_ reader: inout ByteReader) throws -> PickleValue {
    stack = []
    marks = []
    memo = [:]
    while true {
      let opcode = try reader.integer(UInt8.self)
      if opcode == UInt8(ascii: ".") {
        guard marks.isEmpty, stack.count == 1, let value = stack.last else { throw malformed("STOP with a stack") }
        return value
      }
      try step(opcode, &reader)
    }
  }

  private func malformed(_ what: String) -> FormatFault { FormatFault("malformed pickle: \(what)") }

  private mutating func step(_ opcode: UInt8, _ reader: inout ByteReader) throws {
    switch opcode {
    case 0x80:
      let version = try reader.integer(UInt8.self)
      guard version == 2 else { throw FormatFault("pickle protocol \(version) is not allowed") }
    case UInt8(ascii: "("): marks.append(stack.count)
    case UInt8(ascii: "}"): stack.append(makeDictionary(isOrdered: false))
    case UInt8(ascii: "]"): stack.append(.list(makeSequence([])))
    case UInt8(ascii: ")"): stack.append(.tuple(makeSequence([])))
    case UInt8(ascii: "t"): stack.append(.tuple(makeSequence(try popToMark())))
    case 0x85: stack.append(.tuple(makeSequence(try pop(1))))
    case 0x86: stack.append(.tuple(makeSequence(try pop(2))))
    case 0x87: stack.append(.tuple(makeSequence(try pop(3))))
    case UInt8(ascii: "s"): try setItems(pop(2))
    case UInt8(ascii: "u"): try setItems(popToMark())
    case UInt8(ascii: "a"): try appendItems(pop(1))
    case UInt8(ascii: "e"): try appendItems(popToMark())
    case UInt8(ascii: "q"): memo[UInt32(try reader.integer(UInt8.self))] = try top()
    case UInt8(ascii: "r"): memo[try reader.integer(UInt32.self)] = try top()
    case UInt8(ascii: "h"): stack.append(try recall(UInt32(try reader.integer(UInt8.self))))
    case UInt8(ascii: "j"): stack.append(try recall(try reader.integer(UInt32.self)))
    case UInt8(ascii: "Q"): stack.append(try persistent(pop(1)[0]))
    case UInt8(ascii: "R"): try call(pop(2), isNewObject: false)
    case 0x81: try call(pop(2), isNewObject: true)
    case UInt8(ascii: "b"): try build(pop(1)[0])
    default: stack.append(try constant(opcode, &reader))
    }
  }

  private mutating func constant(_ opcode: UInt8, _ reader: inout ByteReader) throws -> PickleValue {
    switch opcode {
    case UInt8(ascii: "N"): return .none
    case 0x88: return .bool(true)
    case 0x89: return .bool(false)
    case UInt8(ascii: "J"): return .int(Int64(try reader.integer(Int32.self)))
    case UInt8(ascii: "K"): return .int(Int64(try reader.integer(UInt8.self)))
    case UInt8(ascii: "M"): return .int(Int64(try reader.integer(UInt16.self)))
    case UInt8(ascii: "G"): return .float(Double(bitPattern: try reader.integer(UInt64.self).byteSwapped))
    case UInt8(ascii: "X"): return .string(try reader.text(Int(try reader.integer(UInt32.self))))
    case UInt8(ascii: "U"): return .string(try reader.text(Int(try reader.integer(UInt8.self))))
    case 0x8A: return Self.integer(Array(try reader.piece(Int(try reader.integer(UInt8.self)))))
    case UInt8(ascii: "c"):
      let (module, name) = (try reader.line(limit: Self.lineLimit), try reader.line(limit: Self.lineLimit))
      guard let global = PickleGlobal(module: module, name: name) else {
        throw FormatFault("names '\(module).\(name)', which is not allowed in a file of tensors")
      }
      return .global(global)
    default:
      throw FormatFault("pickle opcode 0x\(String(opcode, radix: 16)) is not allowed in a file of tensors")
    }
  }

  /// Two's complement, little-endian, of any length.
  private static func integer(_ bytes: [UInt8]) -> PickleValue {
    guard bytes.count <= 8 else { return .bigInt(bytes) }
    let isNegative = bytes.last.map { $0 >= 0x80 } ?? false
    let padded = bytes + [UInt8](repeating: isNegative ? 0xFF : 0, count: 8 - bytes.count)
    return .int(Int64(bitPattern: padded.reversed().reduce(0) { $0 << 8 | UInt64($1) }))
  }
}

// MARK: - Stack and containers
extension PickleMachine {
  private mutating func makeSequence(_ values: [PickleValue]) -> Int {
    sequences.append(values)
    return sequences.count - 1
  }

  private mutating func makeDictionary(isOrdered: Bool) -> PickleValue {
    dictionaries.append(PickleDictionary(isOrdered: isOrdered))
    return .dictionary(dictionaries.count - 1)
  }

  /// The topmost value above the last mark.
  private func top() throws -> PickleValue {
    guard let value = stack.last, stack.count > marks.last ?? 0 else { throw malformed("stack underflow") }
    return value
  }

  private mutating func pop(_ count: Int) throws -> [PickleValue] {
    guard stack.count - (marks.last ?? 0) >= count else { throw malformed("stack underflow") }
    defer { stack.removeLast(count) }
    return Array(stack.suffix(count))
  }

  private mutating func popToMark() throws -> [PickleValue] {
    guard let mark = marks.popLast() else { throw malformed("no mark") }
    defer { stack.removeSubrange(mark...) }
    return Array(stack[mark...])
  }

  private func recall(_ index: UInt32) throws -> PickleValue {
    guard let value = memo[index] else { throw malformed("memo \(index) was never set") }
    return value
  }

  private mutating func setItems(_ items: [PickleValue]) throws {
    guard items.count % 2 == 0 else { throw malformed("a key without a value") }
    guard case .dictionary(let index) = try top() else { throw malformed("items set on no dictionary") }
    for place in stride(from: 0, to: items.count, by: 2) {
      switch items[place] {
      case .string(let key): dictionaries[index].set(.text(Array(key.utf8)), items[place + 1])
      case .int(let key): dictionaries[index].set(.int(key), items[place + 1])
      // Lightning keys its callbacks by class; what cannot be named cannot be asked for.
      case .global(.ignored): continue
      default: throw malformed("a key that is neither text nor a number")
      }
    }
  }

  private mutating func appendItems(_ items: [PickleValue]) throws {
    guard case .list(let index) = try top() else { throw malformed("items appended to no list") }
    sequences[index] += items
  }
}

// MARK: - Objects
extension PickleMachine {
  /// A persistent id: `('storage', class, key, location, count)`, in legacy files with a sixth item or `('module',
  /// class, …)`.
  private mutating func persistent(_ id: PickleValue) throws -> PickleValue {
    guard case .tuple(let index) = id, case .string(let kind)? = sequences[index].first else {
      throw FormatFault("bad persistent id")
    }
    let items = sequences[index]
    if allowsModules, kind == "module", items.count == 4, case .global = items[1] { return items[1] }
    guard kind == "storage", items.count == 5 || (allowsModules && items.count == 6), case .global(let type) = items[1],
      case .string(let key) = items[2], case .string = items[3], case .int(let count) = items[4], count >= 0
    else { throw FormatFault("bad persistent id") }
    if items.count == 6 {
      guard case .none = items[5] else { throw FormatFault("views of storages, of very old torch, are not supported") }
    }
    guard !key.isEmpty, key.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
      throw FormatFault("bad persistent id: storage key '\(key)'")
    }
    let storage: TorchStorage
    switch type {
    case .storageClass(let dtype): storage = TorchStorage(key: key, dtype: dtype, count: Int(count))
    case .untypedStorageClass: storage = TorchStorage(key: key, dtype: nil, count: Int(count))
    default: throw FormatFault("bad persistent id: no storage class")
    }
    guard storages.updateValue(storage, forKey: key) ?? storage == storage else {
      throw FormatFault("storage '\(key)' is described in two ways")
    }
    return .storage(storage)
  }

  /// REDUCE and NEWOBJ: the callable and its arguments.
  private mutating func call(_ operands: [PickleValue], isNewObject: Bool) throws {
    guard case .global(let global) = operands[0], case .tuple(let index) = operands[1] else {
      throw malformed("a call of no known function")
    }
    let arguments = sequences[index]
    switch (global, isNewObject) {
    case (.rebuildTensor, false): stack.append(.tensor(try tensor(arguments, typed: false)))
    case (.rebuildTypedTensor, false): stack.append(.tensor(try tensor(arguments, typed: true)))
    case (.rebuildParameter, false):
      guard case .tensor? = arguments.first else { throw malformed("a parameter of no tensor") }
      stack.append(arguments[0])
    case (.orderedDictionary, _): try makeOrderedDictionary(arguments)
    case (.parameterDictionary, true):
      guard case .dictionary(let dictionary) = makeDictionary(isOrdered: false) else { return }
      stack.append(.parameterDictionary(dictionary))
    case (.ignored, _): stack.append(.opaque)
    default: throw malformed("a call of something that is no function")
    }
  }

  private mutating func makeOrderedDictionary(_ arguments: [PickleValue]) throws {
    stack.append(makeDictionary(isOrdered: true))
    // Python 2 gives the items as a list of pairs instead of setting them.
    guard let first = arguments.first else { return }
    guard arguments.count == 1, case .list(let list) = first else { throw malformed("an OrderedDict of no list") }
    for item in sequences[list] {
      guard case .list(let pair) = item, sequences[pair].count == 2 else {
        throw malformed("an OrderedDict of no pairs")
      }
      try setItems(sequences[pair])
    }
  }

  /// `(storage, offset, size, stride, requires_grad, hooks[, dtype][, metadata])`.
  private func tensor(_ arguments: [PickleValue], typed: Bool) throws -> TorchTensor {
    guard arguments.count >= (typed ? 7 : 6), case .storage(let storage) = arguments[0],
      case .int(let offset) = arguments[1]
    else { throw malformed("a tensor without its parts") }
    let (shape, strides) = (try integers(arguments[2]), try integers(arguments[3]))
    guard typed else {
      guard let dtype = storage.dtype else { throw malformed("a tensor without a type") }
      return try TorchTensor(storage, dtype: dtype, offset: Int(offset), shape: shape, strides: strides)
    }
    guard case .global(.dtype(let dtype)) = arguments[6] else { throw malformed("a tensor without a type") }
    return try TorchTensor(storage, dtype: dtype, offset: Int(offset), shape: shape, strides: strides)
  }

  private func integers(_ value: PickleValue) throws -> [Int] {
    guard case .tuple(let index) = value else { throw malformed("a shape that is no tuple") }
    return try sequences[index].map { item in
      guard case .int(let number) = item else { throw malformed("a shape with something else than integers") }
      return Int(number)
    }
  }

  /// BUILD: gives the object below its state.
  private mutating func build(_ state: PickleValue) throws {
    switch try top() {
    case .opaque: break
    // The attributes of an OrderedDict hold versions of modules.
    case .dictionary(let index) where dictionaries[index].isOrdered: break
    case .parameterDictionary(let index):
      guard case .dictionary(let attributes) = state else { throw malformed("a ParameterDict without attributes") }
      fill(index, from: dictionaries[attributes])
    default: throw FormatFault("BUILD of a target that is not allowed")
    }
  }

  /// The tensors of a ParameterDict: in `_parameters` as torch up to 1.11 has it, else attributes that `_keys` names.
  private mutating func fill(_ index: Int, from attributes: PickleDictionary) {
    if case .dictionary(let parameters)? = attributes["_parameters"], !dictionaries[parameters].entries.isEmpty {
      for entry in dictionaries[parameters].entries { dictionaries[index].set(entry.key, entry.value) }
    } else if case .dictionary(let keys)? = attributes["_keys"] {
      for entry in dictionaries[keys].entries {
        if let value = attributes[entry.key] { dictionaries[index].set(entry.key, value) }
      }
    }
  }
}
