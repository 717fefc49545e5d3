import Zlib

/// Writes a file as `torch.save` does, with plain data and one f32 tensor, so that every reader takes it: torch's own
/// with `weights_only`, diffusers, and A1111's, which refuses members and names that newer torch adds.
public struct TorchWriter {
  /// What the file can hold. Dictionaries keep the order of their entries.
  public indirect enum Value: Sendable {
    case none
    case int(Int32)
    case string(String)
    /// The file's tensor; at one place only.
    case tensor(shape: [Int], values: [Float])
    case dictionary([(key: String, value: Value)])
  }

  private var pickle: [UInt8] = []
  private var data: [[UInt8]] = []

  private init() {}

  /// The bytes of a zip file of `value`.
  public static func bytes(of value: Value) -> [UInt8] {
    var writer = TorchWriter()
    writer.pickle += [0x80, 2]
    writer.append(value)
    writer.pickle.append(UInt8(ascii: "."))
    var zip = StoredZip()
    zip.add("archive/data.pkl", writer.pickle)
    for (index, bytes) in writer.data.enumerated() { zip.add("archive/data/\(index)", bytes) }
    zip.add("archive/version", Array("3\n".utf8))
    return zip.finished()
  }

  private mutating func append(_ value: Value) {
    switch value {
    case .none: pickle.append(UInt8(ascii: "N"))
    case .int(let number):
      pickle.append(UInt8(ascii: "J"))
      append(littleEndian: UInt32(bitPattern: number))
    case .string(let text):
      pickle.append(UInt8(ascii: "X"))
      append(littleEndian: UInt32(text.utf8.count))
      pickle += Array(text.utf8)
    case .dictionary(let entries):
      pickle += Array("}(".utf8)
      for entry in entries {
        append(.string(entry.key))
        append(entry.value)
      }
      pickle.append(UInt8(ascii: "u"))
    case .tensor(let shape, let values): append(shape, values)
    }
  }

  /// `_rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, hooks)`.
  private mutating func append(_ shape: [Int], _ values: [Float]) {
    precondition(shape.reduce(1, *) == values.count)
    let key = data.count
    data.append(values.flatMap { value in withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) } })
    appendGlobal("torch._utils", "_rebuild_tensor_v2")
    pickle += Array("((".utf8)
    append(.string("storage"))
    appendGlobal("torch", "FloatStorage")
    append(.string("\(key)"))
    append(.string("cpu"))
    append(.int(Int32(values.count)))
    pickle += Array("tQ".utf8)
    append(.int(0))
    append(tuple: shape)
    append(tuple: shape.indices.map { shape[($0 + 1)...].reduce(1, *) })
    pickle.append(0x89)  // no gradient
    appendGlobal("collections", "OrderedDict")
    pickle += Array(")RtR".utf8)
  }

  private mutating func append(tuple numbers: [Int]) {
    pickle.append(UInt8(ascii: "("))
    for number in numbers { append(.int(Int32(number))) }
    pickle.append(UInt8(ascii: "t"))
  }

  private mutating func appendGlobal(_ module: String, _ name: String) {
    pickle += Array("c\(module)\n\(name)\n".utf8)
  }

  private mutating func append(littleEndian number: UInt32) {
    withUnsafeBytes(of: number.littleEndian) { pickle += Array($0) }
  }
}

/// A zip archive of members that are stored as they are.
private struct StoredZip {
  private var out: [UInt8] = []
  private var directory: [UInt8] = []
  private var count = 0

  private static let version: UInt16 = 20
  /// 1 January 1980, the first date there is: equal content, equal bytes.
  private static let date: UInt16 = 1 << 5 | 1

  mutating func add(_ name: String, _ bytes: [UInt8]) {
    let offset = UInt32(out.count)
    let (size, checksum) = (UInt32(bytes.count), crc32(bytes))
    var fields: [UInt8] = []
    for field in [Self.version, 0, 0, 0, Self.date] { append(field, to: &fields) }
    for field in [checksum, size, size] { append(field, to: &fields) }
    append(UInt16(name.utf8.count), to: &fields)
    append(UInt16(0), to: &fields)
    append(UInt32(0x0403_4B50), to: &out)
    out += fields + Array(name.utf8) + bytes
    append(UInt32(0x0201_4B50), to: &directory)
    append(Self.version, to: &directory)
    directory += fields
    for _ in 0..<3 { append(UInt16(0), to: &directory) }  // comment, disk, attributes
    append(UInt32(0), to: &directory)
    append(offset, to: &directory)
    directory += Array(name.utf8)
    count += 1
  }

  func finished() -> [UInt8] {
    var end = out + directory
    append(UInt32(0x0605_4B50), to: &end)
    for field in [0, 0, UInt16(count), UInt16(count)] { append(field, to: &end) }
    append(UInt32(directory.count), to: &end)
    append(UInt32(out.count), to: &end)
    append(UInt16(0), to: &end)
    return end
  }

  private func append<Number: FixedWidthInteger>(_ number: Number, to bytes: inout [UInt8]) {
    withUnsafeBytes(of: number.littleEndian) { bytes += Array($0) }
  }
}
