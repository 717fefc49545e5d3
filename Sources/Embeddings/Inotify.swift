import Errors
import Glibc

/// Owns an inotify descriptor; the kernel's queue of changes to the files of some folders.
final class Inotify {
  struct Event {
    /// The folder's watch; -1 when the kernel dropped events because nobody read them.
    let watch: Int32
    let mask: UInt32
    /// The file's name in that folder; empty for the folder itself.
    let name: String

    func has(_ flag: Int32) -> Bool { mask & UInt32(bitPattern: flag) != 0 }
  }

  let descriptor: Int32

  /// - Throws: `.fileUnavailable` when the user has no inotify instance left.
  init() throws(InversionError) {
    descriptor = inotify_init1(Int32(IN_NONBLOCK | IN_CLOEXEC))
    guard descriptor >= 0 else {
      throw InversionError(
        .fileUnavailable,
        "cannot watch folders: \(String(cString: strerror(errno))); raise fs.inotify.max_user_instances")
    }
  }

  deinit { close(descriptor) }

  /// Watches a folder; watching it again gives the same number.
  /// - Returns: nil when it is not there or no watch is left.
  func watch(_ folder: String, mask: Int32) -> Int32? {
    let watch = inotify_add_watch(descriptor, folder, UInt32(bitPattern: mask))
    return watch < 0 ? nil : watch
  }

  func unwatch(_ watch: Int32) { inotify_rm_watch(descriptor, watch) }

  /// Everything that has been queued.
  func events() -> [Event] {
    var events: [Event] = []
    let headerSize = MemoryLayout<inotify_event>.size
    withUnsafeTemporaryAllocation(byteCount: 16 << 10, alignment: MemoryLayout<inotify_event>.alignment) { buffer in
      while true {
        let count = read(descriptor, buffer.baseAddress, buffer.count)
        if count < 0 && errno == EINTR { continue }
        guard count > 0 else { return }
        var offset = 0
        while offset + headerSize <= count {
          let header = buffer.loadUnaligned(fromByteOffset: offset, as: inotify_event.self)
          let name = buffer[(offset + headerSize)..<(offset + headerSize + Int(header.len))].prefix { $0 != 0 }
          events.append(Event(watch: header.wd, mask: header.mask, name: String(decoding: name, as: UTF8.self)))
          offset += headerSize + Int(header.len)
        }
      }
    }
    return events
  }
}
