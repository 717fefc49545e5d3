import Foundation

/// The service manager's end of NOTIFY_SOCKET.
public final class NotifySocket: Sendable {
  public let path: String
  private let descriptor: CInt
  private let messages: AsyncStream<String>

  public init(path: String) throws {
    self.path = path
    let (messages, continuation) = AsyncStream<String>.makeStream()
    self.messages = messages
    descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let bound = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    guard bound == 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
    Self.read(descriptor, into: continuation)
  }

  deinit { shutdown(descriptor, Int32(SHUT_RDWR)) }

  /// The next message.
  public func message() async -> String {
    for await message in messages { return message }
    return ""
  }

  /// Reads all the time, as a service manager does: a full socket would hold its senders.
  private static func read(_ descriptor: CInt, into continuation: AsyncStream<String>.Continuation) {
    Thread {
      var buffer = [UInt8](repeating: 0, count: 4096)
      while true {
        let count = recv(descriptor, &buffer, buffer.count, 0)
        if count < 0 && errno == EINTR { continue }
        guard count > 0 else { break }
        continuation.yield(String(decoding: buffer[..<count], as: UTF8.self))
      }
      close(descriptor)
    }.start()
  }
}
