import Errors
import Glibc

/// A whole regular file, mapped read-only; the mapping ends with the object.
///
/// Pages come from the page cache, so that processes share them and the kernel may drop them when memory is short. A
/// file that another process truncates while it is mapped raises SIGBUS on access: replace files by rename, never in
/// place.
public final class MappedFile: Sendable {
  public let path: String
  /// The file's bytes, valid as long as this object lives.
  public nonisolated(unsafe) let bytes: UnsafeRawBufferPointer
  private let isCopy: Bool

  /// - Throws: `.fileUnavailable` when the file cannot be opened or mapped, or is no regular file.
  public init(path: String) throws {
    self.path = path
    isCopy = false
    let descriptor = try openRegularFile(path)
    defer { close(descriptor.fd) }
    guard descriptor.size > 0 else {
      self.bytes = UnsafeRawBufferPointer(start: nil, count: 0)
      return
    }
    guard let start = mmap(nil, descriptor.size, PROT_READ, MAP_PRIVATE, descriptor.fd, 0), start != MAP_FAILED else {
      throw fileError(path, "cannot be mapped")
    }
    self.bytes = UnsafeRawBufferPointer(start: start, count: descriptor.size)
  }

  /// A private copy of `bytes`, for content that another process may change in its file while it is read.
  /// - Throws: `.fileUnavailable` when there is no memory for it.
  public init(copying bytes: [UInt8], path: String) throws {
    self.path = path
    isCopy = true
    guard !bytes.isEmpty else {
      self.bytes = UnsafeRawBufferPointer(start: nil, count: 0)
      return
    }
    let flags = MAP_PRIVATE | MAP_ANONYMOUS
    guard let start = mmap(nil, bytes.count, PROT_READ | PROT_WRITE, flags, -1, 0), start != MAP_FAILED else {
      throw fileError(path, "cannot be copied")
    }
    let copy = UnsafeMutableRawBufferPointer(start: start, count: bytes.count)
    copy.copyBytes(from: bytes)
    self.bytes = UnsafeRawBufferPointer(copy)
  }

  deinit {
    if let start = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: start), bytes.count) }
  }

  /// What will happen to a range, for the kernel's read-ahead.
  public enum Advice: Sendable {
    case normal, sequential, random
    /// Start reading it now.
    case willNeed
    /// Its pages may be dropped; they are read again when touched.
    case dontNeed

    var flag: Int32 {
      switch self {
      case .normal: MADV_NORMAL
      case .sequential: MADV_SEQUENTIAL
      case .random: MADV_RANDOM
      case .willNeed: MADV_WILLNEED
      case .dontNeed: MADV_DONTNEED
      }
    }
  }

  /// Advises the kernel about `range` (the whole file by default). A hint: a failure is of no consequence.
  ///
  /// `.dontNeed` shrinks to whole pages, so that a neighbour's bytes stay; the others grow to whole pages. A copy keeps
  /// its pages: there is no file from which they could come again.
  public func advise(_ advice: Advice, range: Range<Int>? = nil) {
    if isCopy && advice == .dontNeed { return }
    let range = range ?? 0..<bytes.count
    precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count)
    // After the file's end its last page holds nothing.
    let isToEnd = range.upperBound == bytes.count
    let end = isToEnd ? (range.upperBound + pageSize - 1) / pageSize * pageSize : range.upperBound
    guard let base = bytes.baseAddress else { return }
    adviseMapped(UnsafeRawBufferPointer(start: base + range.lowerBound, count: end - range.lowerBound), advice)
  }
}

private let pageSize = Int(sysconf(Int32(_SC_PAGESIZE)))

/// Advises the kernel about bytes of a mapped file, whoever holds the mapping: what streams weights knows only where
/// they are. A hint: a failure is of no consequence. Never of memory without a file: `.dontNeed` would make it zeros.
///
/// `.dontNeed` shrinks to whole pages, so that a neighbour's bytes stay; the others grow to whole pages.
public func adviseMapped(_ bytes: UnsafeRawBufferPointer, _ advice: MappedFile.Advice) {
  guard let base = bytes.baseAddress else { return }
  let (start, end) = (UInt(bitPattern: base), UInt(bitPattern: base) + UInt(bytes.count))
  let page = UInt(pageSize)
  let isDrop = advice == .dontNeed
  let lower = isDrop ? (start + page - 1) / page * page : start / page * page
  let upper = isDrop ? end / page * page : end
  guard upper > lower, let address = UnsafeMutableRawPointer(bitPattern: lower) else { return }
  madvise(address, Int(upper - lower), advice.flag)
}

/// Opens a regular file for reading and gives its size.
///
/// O_NONBLOCK keeps the open of a named pipe without a writer from hanging; it changes nothing for regular files.
package func openRegularFile(_ path: String) throws -> (fd: Int32, size: Int) {
  let fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
  guard fd >= 0 else {
    let error = fileError(path, "cannot be opened")
    guard let reason = Absence(path), case .danglingLink = reason else { throw error }
    throw InversionError(.fileUnavailable, "'\(path)': \(reason); get it again")
  }
  var status = stat()
  guard fstat(fd, &status) == 0 else {
    defer { close(fd) }
    throw fileError(path, "cannot be examined")
  }
  guard status.st_mode & S_IFMT == S_IFREG else {
    close(fd)
    let what = status.st_mode & S_IFMT == S_IFDIR ? "is a folder" : "is no regular file"
    throw InversionError(.fileUnavailable, "'\(path)': \(what); give a file")
  }
  return (fd, Int(status.st_size))
}

/// `.fileUnavailable` with the current `errno` in words.
package func fileError(_ path: String, _ what: String) -> InversionError {
  InversionError(.fileUnavailable, "'\(path)': \(what): \(String(cString: strerror(errno)))")
}
