import Errors
import Tensors
import Zlib

/// A file that `torch.save` wrote, in zip form or in the older one, read without running anything in it.
///
/// The bytes of tensors stay in the mapped file until they are asked for, so that a checkpoint of gigabytes opens at
/// once.
public final class TorchFile: Sendable {
  public let path: String
  /// The saved object.
  public let root: TorchValue
  private let file: MappedFile
  private let container: TorchContainer

  /// - Throws: `.fileUnavailable`; `.badFile` naming the file and the reason when it is damaged, hostile or something
  ///   else.
  public convenience init(path: String) throws {
    try self.init(MappedFile(path: path))
  }

  /// The same for content that is in memory; `path` stands in messages.
  public convenience init(bytes: [UInt8], path: String) throws {
    try self.init(MappedFile(copying: bytes, path: path))
  }

  init(_ file: MappedFile) throws {
    self.path = file.path
    self.file = file
    do {
      if file.bytes.starts(with: Self.zipStart) {
        let zip = try TorchZip(file.bytes)
        (root, container) = (zip.root, .zip(zip))
      } else {
        let legacy = try TorchLegacy(file.bytes)
        (root, container) = (legacy.root, .legacy(legacy))
      }
    } catch let fault as FormatFault {
      throw Self.refusal(file.path, fault)
    }
  }

  private static let zipStart = Array("PK".utf8)
  /// PROTO 2, the first bytes of every pickle.
  private static let pickleStart: [UInt8] = [0x80, 0x02]

  /// Whether the first bytes are a torch file's. No safetensors header begins so: it would be far over its limit.
  static func isOne(_ bytes: UnsafeRawBufferPointer) -> Bool {
    bytes.starts(with: zipStart + [3, 4]) || bytes.starts(with: pickleStart + [0x8A, 0x0A])
  }

  /// The tensor's elements, row-major and little-endian, strides and byte order resolved.
  /// - Throws: `.badFile` when the file's checksum says that they are damaged.
  public func bytes(of tensor: TorchTensor) throws -> [UInt8] {
    do {
      switch container {
      case .zip(let zip):
        var storage = try zip.bytes(of: tensor.storage, in: file.bytes)
        if zip.isBigEndian { Self.swapBytes(&storage, size: (tensor.storage.dtype ?? tensor.dtype).byteCount) }
        return storage.withUnsafeBytes { tensor.gather(from: $0) }
      case .legacy(let legacy):
        guard let range = legacy.ranges[tensor.storage.key] else { preconditionFailure("the tensor is another file's") }
        return tensor.gather(from: UnsafeRawBufferPointer(rebasing: file.bytes[range]))
      }
    } catch let fault as FormatFault {
      throw Self.refusal(path, fault)
    }
  }

  /// The whole file.
  var content: UnsafeRawBufferPointer { file.bytes }

  /// Where the tensor's elements are in the file, when they lie there row-major and little-endian; else nil.
  func range(of tensor: TorchTensor) -> Range<Int>? {
    let storage: Range<Int>?
    switch container {
    case .zip(let zip): storage = zip.range(of: tensor.storage)
    case .legacy(let legacy): storage = legacy.ranges[tensor.storage.key]
    }
    guard let storage, tensor.isContiguous else { return nil }
    let size = tensor.dtype.byteCount
    let start = storage.lowerBound + tensor.offset * size
    return start..<start + tensor.elementCount * size
  }

  /// Reads every storage once. The older form has no checksums.
  /// - Throws: `.badFile`.
  func verifyChecksums() throws {
    guard case .zip(let zip) = container else { return }
    do {
      try zip.verifyChecksums(file.bytes)
    } catch let fault as FormatFault {
      throw Self.refusal(path, fault)
    }
  }

  /// The tensors of a saved model by name: those of the root, or of its `state_dict` as in checkpoints.
  public var stateDictionary: [String: TorchTensor] {
    guard case .dictionary(let entries) = root["state_dict"] ?? root else { return [:] }
    var tensors: [String: TorchTensor] = [:]
    for entry in entries {
      if case .string(let name) = entry.key, case .tensor(let tensor) = entry.value { tensors[name] = tensor }
    }
    return tensors
  }

  private static func refusal(_ path: String, _ fault: FormatFault) -> InversionError {
    InversionError(.badFile, "'\(path)': \(fault.reason); get a sound torch file, or the .safetensors one")
  }

  private static func swapBytes(_ bytes: inout [UInt8], size: Int) {
    if size == 1 { return }
    for start in stride(from: 0, to: bytes.count, by: size) { bytes[start..<start + size].reverse() }
  }
}

private enum TorchContainer {
  case zip(TorchZip)
  case legacy(TorchLegacy)
}

/// The zip form (torch 1.6 and later): one folder with `data.pkl`, `data/0`, `data/1`, …
private struct TorchZip {
  let root: TorchValue
  let isBigEndian: Bool
  private let members: [String: ZipArchive.Member]
  private let folder: String

  /// What `data.pkl` may have, and all that may come out of compressed members: neither occurs large in practice.
  private static let pickleLimit = 64 << 20
  private static let inflatedLimit = 32 << 20

  init(_ bytes: UnsafeRawBufferPointer) throws {
    let archive = try ZipArchive(bytes)
    let members = archive.members
    let folder = try Self.findFolder(members)
    let isScript = members.keys.contains { $0 == folder + "constants.pkl" || $0.hasPrefix(folder + "code/") }
    guard !isScript else { throw FormatFault("TorchScript archive: a program, not a file of tensors") }
    guard let pickle = members[folder + "data.pkl"] else { throw FormatFault("no member 'data.pkl': not a torch file") }
    self.members = members
    self.folder = folder
    isBigEndian = try Self.readByteOrder(archive, members[folder + "byteorder"])
    guard pickle.size <= Self.pickleLimit else { throw FormatFault("'data.pkl' of \(pickle.size) bytes is too large") }

    let text = try archive.content(of: pickle, inflatedLimit: Self.inflatedLimit)
    var machine = PickleMachine(allowsModules: false)
    let value = try text.withUnsafeBytes { text in
      var reader = ByteReader(text)
      let value = try machine.run(&reader)
      guard reader.remaining == 0 else { throw FormatFault("\(reader.remaining) bytes after the pickle's STOP") }
      return value
    }
    root = try TorchValue(value, of: machine)
    for storage in machine.storages.values {
      guard let member = members["\(folder)data/\(storage.key)"] else {
        throw FormatFault("storage '\(storage.key)' is missing")
      }
      guard member.size == storage.byteCount else {
        throw FormatFault(
          "storage '\(storage.key)' has \(member.size) bytes, not the \(storage.count) elements of its tensor")
      }
      guard !member.isDeflated || member.size <= Self.inflatedLimit else {
        throw FormatFault("storage '\(storage.key)' of \(member.size) compressed bytes is too large")
      }
    }
  }

  /// All members lie in one folder, whose name does not matter.
  private static func findFolder(_ members: [String: ZipArchive.Member]) throws -> String {
    let folders = Set(members.keys.map { name in name.firstIndex(of: "/").map { String(name[...$0]) } ?? "" })
    guard folders.count == 1, let folder = folders.first, !folder.isEmpty else {
      throw FormatFault("zip archive without a single folder: not a torch file")
    }
    return folder
  }

  private static func readByteOrder(_ archive: ZipArchive, _ member: ZipArchive.Member?) throws -> Bool {
    guard let member else { return false }
    switch String(decoding: try archive.content(of: member, inflatedLimit: 16), as: UTF8.self) {
    case "little": return false
    case "big": return true
    case let other: throw FormatFault("byte order '\(other)' is unknown")
    }
  }

  /// Where a storage lies in the file as it is; nil when it is compressed or big-endian.
  func range(of storage: TorchStorage) -> Range<Int>? {
    guard !isBigEndian, let member = members["\(folder)data/\(storage.key)"], !member.isDeflated else { return nil }
    return member.range
  }

  func verifyChecksums(_ file: UnsafeRawBufferPointer) throws {
    for member in members.values where !member.isDeflated {
      let content = UnsafeRawBufferPointer(rebasing: file[member.range])
      guard crc32(content) == member.crc else {
        throw FormatFault("zip member '\(member.name)': checksum mismatch")
      }
      // A checkpoint of gigabytes should not stay in memory for having been checked.
      adviseMapped(content, .dontNeed)
    }
  }

  func bytes(of storage: TorchStorage, in file: UnsafeRawBufferPointer) throws -> [UInt8] {
    guard let member = members["\(folder)data/\(storage.key)"] else {
      preconditionFailure("the tensor is another file's")
    }
    return try ZipArchive.content(of: member, in: file, inflatedLimit: Self.inflatedLimit)
  }
}

/// The form before torch 1.6: five pickles, then the storages.
private struct TorchLegacy {
  let root: TorchValue
  /// Where each storage's bytes are in the file.
  let ranges: [String: Range<Int>]

  /// 0x1950A86A20F9469CFC6C, little-endian.
  private static let magic: [UInt8] = [0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19]
  private static let protocolVersion: Int64 = 1001

  init(_ bytes: UnsafeRawBufferPointer) throws {
    guard !bytes.isEmpty else { throw FormatFault("empty file") }
    guard bytes[0] == 0x80 else { throw FormatFault("not a torch file") }
    var reader = ByteReader(bytes)
    var machine = PickleMachine(allowsModules: true)
    guard case .bigInt(let magic) = try machine.run(&reader), magic == Self.magic else {
      throw FormatFault("not a torch file: bad magic number")
    }
    guard case .int(Self.protocolVersion) = try machine.run(&reader) else { throw FormatFault("bad protocol version") }
    _ = try machine.run(&reader)  // sizes of C's types, which torch does not read either
    root = try TorchValue(try machine.run(&reader), of: machine)
    let described = machine.storages
    guard case .list(let index) = try machine.run(&reader) else {
      throw FormatFault("malformed pickle: no list of storages")
    }
    var ranges: [String: Range<Int>] = [:]
    for key in machine.sequences[index] {
      guard case .string(let key) = key, let storage = described[key], ranges[key] == nil else {
        throw FormatFault("the list names a storage that no tensor has, or names it twice")
      }
      let count = try reader.count()
      guard count == storage.count, let byteCount = storage.byteCount else {
        throw FormatFault("storage '\(key)' has \(count) elements, not the \(storage.count) of its tensor")
      }
      let start = reader.offset
      _ = try reader.piece(byteCount)
      ranges[key] = start..<start + byteCount
    }
    guard ranges.count == described.count else { throw FormatFault("truncated: a storage is missing") }
    guard reader.remaining == 0 else { throw FormatFault("\(reader.remaining) bytes after the last storage") }
    self.ranges = ranges
  }
}
