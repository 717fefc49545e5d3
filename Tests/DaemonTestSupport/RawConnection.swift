import Foundation

/// A client that sends what it likes and hangs up when it likes.
public final class RawConnection: Sendable {
  private let descriptor: CInt

  /// Nil when nobody listens.
  public init?(_ path: String) {
    descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let connected = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    if connected != 0 { return nil }
  }

  deinit { close(descriptor) }

  /// Returns when all is sent, or the other end has hung up.
  public func send(_ text: String) async {
    await withCheckedContinuation { continuation in
      Thread {
        self.blockingSend(text)
        continuation.resume()
      }.start()
    }
  }

  private func blockingSend(_ text: String) {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let count = bytes.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return }
      bytes = bytes.dropFirst(count)
    }
  }

  /// Closes the sending half.
  public func finishSending() { shutdown(descriptor, Int32(SHUT_WR)) }

  /// Returns when the other end has hung up; nothing is read.
  public func hungUp() async {
    await withCheckedContinuation { continuation in
      Thread {
        // A hang-up is always among the events.
        var waited = pollfd(fd: self.descriptor, events: 0, revents: 0)
        while poll(&waited, 1, -1) < 0 && errno == EINTR {}
        continuation.resume()
      }.start()
    }
  }

  /// Everything until the text is there, or until the other end hangs up. It waits on a thread of its own: those of
  /// tasks are few, and the daemon needs them.
  public func receive(until text: String? = nil) async -> String {
    await withCheckedContinuation { continuation in
      Thread { continuation.resume(returning: self.blockingReceive(until: text)) }.start()
    }
  }

  private func blockingReceive(until text: String?) -> String {
    var received: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = recv(descriptor, &buffer, buffer.count, 0)
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { break }
      received += buffer[..<count]
      if let text, String(decoding: received, as: UTF8.self).contains(text) { break }
    }
    return String(decoding: received, as: UTF8.self)
  }
}
