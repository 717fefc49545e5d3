import Glibc

/// Memory that ends at a page without access: a kernel that reads or writes past its end dies at once.
final class GuardedBuffer {
  let pointer: UnsafeMutableRawPointer
  let byteCount: Int
  private let base: UnsafeMutableRawPointer
  private let mapped: Int

  init(byteCount: Int) {
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    let usable = (byteCount + page - 1) / page * page
    mapped = usable + page
    base = mmap(nil, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)!
    precondition(mprotect(base + usable, page, PROT_NONE) == 0)
    pointer = base + usable - byteCount
    self.byteCount = byteCount
  }

  convenience init(_ values: [Float]) {
    self.init(byteCount: values.count * 4)
    pointer.copyMemory(from: values, byteCount: values.count * 4)
  }

  convenience init(_ values: [Double]) {
    self.init(byteCount: values.count * 8)
    pointer.copyMemory(from: values, byteCount: values.count * 8)
  }

  deinit { munmap(base, mapped) }

  var floats: [Float] {
    Array(UnsafeBufferPointer(start: pointer.assumingMemoryBound(to: Float.self), count: byteCount / 4))
  }

  var doubles: [Double] {
    Array(UnsafeBufferPointer(start: pointer.assumingMemoryBound(to: Double.self), count: byteCount / 8))
  }
}
