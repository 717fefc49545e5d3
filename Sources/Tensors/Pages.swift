#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Anonymous memory, 64-byte aligned. Large blocks are mapped one by one: the heap would keep what is freed between
/// them, 70 to 100 MB at the sizes of Stable Diffusion.
enum Pages {
  /// Bytes from which a block is mapped by itself.
  static let large = 1 << 20

  static func allocate(byteCount: Int) -> UnsafeMutableRawPointer {
    guard byteCount >= large else { return .allocate(byteCount: byteCount, alignment: 64) }
    let mapped = mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let mapped, mapped != MAP_FAILED else { preconditionFailure("out of memory: no \(byteCount) bytes") }
    // A fault for 2 MB instead of 512 for 4 KB each, where the system allows it.
    madvise(mapped, byteCount, MADV_HUGEPAGE)
    return mapped
  }

  static func free(_ pointer: UnsafeMutableRawPointer, byteCount: Int) {
    if byteCount >= large {
      munmap(pointer, byteCount)
    } else {
      pointer.deallocate()
    }
  }
}
