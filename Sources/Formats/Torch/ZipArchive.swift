import Zlib

/// The members of a zip archive that lies in memory: just what torch's files need, and strict about everything else.
struct ZipArchive {
  struct Member {
    let name: String
    let isDeflated: Bool
    /// Where the stored or compressed bytes are in the file.
    let range: Range<Int>
    /// Bytes after decompression.
    let size: Int
    let crc: UInt32
    /// Where its local header begins.
    let headerOffset: Int
  }

  private static let memberLimit = 1 << 16
  private static let endSignature: UInt32 = 0x0605_4B50
  private static let end64Signature: UInt32 = 0x0606_4B50
  private static let locator64Signature: UInt32 = 0x0706_4B50
  private static let entrySignature: UInt32 = 0x0201_4B50
  private static let localSignature: UInt32 = 0x0403_4B50
  private static let endLength = 22
  private static let stored: UInt16 = 0
  private static let deflated: UInt16 = 8
  private static let encryptedFlag: UInt16 = 1
  /// A field of this value stands in the extended record instead.
  private static let extended16 = Int(UInt16.max)
  private static let extended32 = Int(UInt32.max)

  private let bytes: UnsafeRawBufferPointer
  private(set) var members: [String: Member] = [:]

  /// - Parameter bytes: must outlive the archive.
  init(_ bytes: UnsafeRawBufferPointer) throws {
    self.bytes = bytes
    let directory = try Self.findDirectory(bytes)
    guard directory.count <= Self.memberLimit else { throw FormatFault("\(directory.count) zip members are too many") }
    guard directory.offset <= directory.end else { throw FormatFault("zip directory outside the file") }
    var reader = ByteReader(UnsafeRawBufferPointer(rebasing: bytes[..<directory.end]), from: directory.offset)
    for _ in 0..<directory.count {
      let member = try readEntry(&reader, dataEnd: directory.offset)
      guard members.updateValue(member, forKey: member.name) == nil else {
        throw FormatFault("zip member '\(member.name)' is there twice")
      }
    }
    try checkOverlap()
  }

  /// The bytes of a member, decompressed when they are deflated, with their checksum verified.
  /// - Parameter limit: the most bytes that may come out of a deflated one.
  func content(of member: Member, inflatedLimit limit: Int) throws -> [UInt8] {
    try Self.content(of: member, in: bytes, inflatedLimit: limit)
  }

  /// The same for a member that was found in `bytes` before.
  static func content(
    of member: Member, in bytes: UnsafeRawBufferPointer, inflatedLimit limit: Int
  ) throws -> [UInt8] {
    let raw = UnsafeRawBufferPointer(rebasing: bytes[member.range])
    let content: [UInt8]
    if member.isDeflated {
      guard member.size <= limit else {
        throw FormatFault("zip member '\(member.name)' of \(member.size) compressed bytes is too large, over \(limit)")
      }
      do {
        content = try inflate(Array(raw), format: .raw, limit: member.size)
      } catch {
        throw FormatFault("zip member '\(member.name)': \(error)")
      }
    } else {
      content = Array(raw)
    }
    guard content.count == member.size else {
      throw FormatFault("zip member '\(member.name)' has another size than listed")
    }
    guard crc32(content) == member.crc else { throw FormatFault("zip member '\(member.name)': checksum mismatch") }
    return content
  }

  /// The end record stands before a comment of a length that it gives: the one that fits the file's end is it.
  private static func findDirectory(_ bytes: UnsafeRawBufferPointer) throws -> (offset: Int, end: Int, count: Int) {
    guard bytes.count >= endLength else { throw FormatFault("truncated zip archive") }
    let lowest = max(0, bytes.count - endLength - Int(UInt16.max))
    for start in stride(from: bytes.count - endLength, through: lowest, by: -1) {
      var reader = ByteReader(bytes, from: start)
      guard try reader.integer(UInt32.self) == endSignature else { continue }
      let disks = (try reader.integer(UInt16.self), try reader.integer(UInt16.self))
      let (here, count) = (Int(try reader.integer(UInt16.self)), Int(try reader.integer(UInt16.self)))
      let (size, offset) = (Int(try reader.integer(UInt32.self)), Int(try reader.integer(UInt32.self)))
      guard Int(try reader.integer(UInt16.self)) == reader.remaining else { continue }
      if count == extended16 || size == extended32 || offset == extended32 {
        return try findExtendedDirectory(bytes, before: start)
      }
      guard disks == (0, 0), here == count else { throw FormatFault("zip archive in several parts") }
      return (offset, start, count)
    }
    throw FormatFault("truncated zip archive: no end record")
  }

  private static func findExtendedDirectory(
    _ bytes: UnsafeRawBufferPointer, before end: Int
  ) throws -> (offset: Int, end: Int, count: Int) {
    let locatorLength = 20
    guard end >= locatorLength else { throw FormatFault("truncated zip archive") }
    var locator = ByteReader(bytes, from: end - locatorLength)
    guard try locator.integer(UInt32.self) == locator64Signature else {
      throw FormatFault("zip archive without locator")
    }
    _ = try locator.integer(UInt32.self)
    let start = try locator.count()
    guard start <= end - locatorLength else { throw FormatFault("zip end record outside the file") }
    var record = ByteReader(bytes, from: start)
    guard try record.integer(UInt32.self) == end64Signature else { throw FormatFault("zip archive without end record") }
    // Size of the record, two versions, two disk numbers, members on this disk.
    _ = try record.piece(8 + 2 + 2 + 4 + 4 + 8)
    let count = try record.count()
    _ = try record.count()
    return (try record.count(), start, count)
  }

  /// Reads an entry of the directory and the local header that it points at.
  private func readEntry(_ reader: inout ByteReader, dataEnd: Int) throws -> Member {
    guard try reader.integer(UInt32.self) == Self.entrySignature else { throw FormatFault("damaged zip directory") }
    _ = try reader.integer(UInt32.self)  // versions
    let flags = try reader.integer(UInt16.self)
    let method = try reader.integer(UInt16.self)
    _ = try reader.integer(UInt32.self)  // time
    let crc = try reader.integer(UInt32.self)
    var fields = [Int(try reader.integer(UInt32.self)), Int(try reader.integer(UInt32.self))]
    let lengths = [try reader.integer(UInt16.self), try reader.integer(UInt16.self), try reader.integer(UInt16.self)]
    _ = try reader.piece(2 + 2 + 4)  // disk, attributes
    fields.append(Int(try reader.integer(UInt32.self)))
    let name = try reader.text(Int(lengths[0]))
    try Self.readExtendedFields(try reader.piece(Int(lengths[1])), into: &fields)
    _ = try reader.piece(Int(lengths[2]))
    let (compressedSize, size, headerOffset) = (fields[0], fields[1], fields[2])

    let isSafe = !name.hasPrefix("/") && !name.contains("\\") && !name.split(separator: "/").contains("..")
    guard isSafe, !name.contains("\0") else { throw FormatFault("bad zip member name '\(name)'") }
    guard flags & Self.encryptedFlag == 0 else { throw FormatFault("zip member '\(name)' is encrypted") }
    guard method == Self.stored || method == Self.deflated else {
      throw FormatFault("zip member '\(name)' is compressed by method \(method), which is not supported")
    }
    guard method == Self.deflated || size == compressedSize else {
      throw FormatFault("zip member '\(name)' with two sizes")
    }
    let start = try dataStart(name, headerOffset: headerOffset, dataEnd: dataEnd)
    guard compressedSize <= dataEnd - start else { throw FormatFault("zip member '\(name)' reaches outside the file") }
    return Member(
      name: name, isDeflated: method == Self.deflated, range: start..<start + compressedSize, size: size, crc: crc,
      headerOffset: headerOffset)
  }

  /// The extra field with 64-bit values for those of `fields` (uncompressed, compressed, offset in its order) that are
  /// full.
  private static func readExtendedFields(_ extra: UnsafeRawBufferPointer, into fields: inout [Int]) throws {
    guard fields.contains(extended32) else { return }
    let zip64: UInt16 = 1
    var reader = ByteReader(extra)
    while reader.remaining >= 4 {
      let (id, length) = (try reader.integer(UInt16.self), Int(try reader.integer(UInt16.self)))
      var field = ByteReader(try reader.piece(length))
      guard id == zip64 else { continue }
      for index in [1, 0, 2] where fields[index] == extended32 { fields[index] = try field.count() }
    }
  }

  /// Where a member's bytes begin. The local header must name the same member: a directory that points elsewhere is a
  /// trap.
  private func dataStart(_ name: String, headerOffset: Int, dataEnd: Int) throws -> Int {
    guard headerOffset <= dataEnd else { throw FormatFault("zip member '\(name)' outside the file") }
    var reader = ByteReader(UnsafeRawBufferPointer(rebasing: bytes[..<dataEnd]), from: headerOffset)
    guard try reader.integer(UInt32.self) == Self.localSignature else {
      throw FormatFault("zip member '\(name)' without a header")
    }
    _ = try reader.piece(22)  // what the directory says too; zero here in streamed archives
    let (nameLength, extraLength) = (Int(try reader.integer(UInt16.self)), Int(try reader.integer(UInt16.self)))
    guard try reader.piece(nameLength).elementsEqual(name.utf8) else {
      throw FormatFault("zip member '\(name)' has another name in its header")
    }
    _ = try reader.piece(extraLength)
    return reader.offset
  }

  private func checkOverlap() throws {
    var end = 0
    for member in members.values.sorted(by: { $0.headerOffset < $1.headerOffset }) {
      guard member.headerOffset >= end else { throw FormatFault("zip member '\(member.name)' overlaps another") }
      end = member.range.upperBound
    }
  }
}
