import Foundation
import Synchronization

/// An HTTP server on a port of this machine, that answers as a test tells it, one request after the other.
final class LoopbackServer: Sendable {
  struct Request: Sendable {
    let path: String
    /// Lower-case names.
    let headers: [String: String]

    /// The first byte that is asked for.
    var rangeStart: Int? {
      headers["range"].flatMap { Int($0.dropFirst("bytes=".count).prefix { $0 != "-" }) }
    }
  }

  struct Response: Sendable {
    var status = 200
    var headers: [String: String] = [:]
    var body: [UInt8] = []
    /// Bytes of the body after which the connection breaks.
    var cut: Int?
  }

  let port: UInt16
  private let listener: Int32
  private let seen = Mutex<[Request]>([])

  init(_ answer: @escaping @Sendable (Request) -> Response) throws {
    listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(INADDR_LOOPBACK).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let listener = listener
    port = try withUnsafeMutablePointer(to: &address) { pointer in
      try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
        guard bind(listener, generic, length) == 0, listen(listener, 8) == 0,
          getsockname(listener, generic, &length) == 0
        else { throw POSIXError(.EADDRINUSE) }
      }
      return UInt16(bigEndian: pointer.pointee.sin_port)
    }
    Thread.detachNewThread { [weak self] in
      while true {
        let connection = accept(listener, nil, nil)
        guard connection >= 0 else { return }
        if let request = Self.read(connection) {
          self?.seen.withLock { $0.append(request) }
          Self.write(answer(request), to: connection)
        }
        close(connection)
      }
    }
  }

  deinit {
    shutdown(listener, Int32(SHUT_RDWR))
    close(listener)
  }

  var requests: [Request] { seen.withLock { $0 } }

  func url(_ path: String) -> String { "http://127.0.0.1:\(port)/\(path)" }

  private static func read(_ connection: Int32) -> Request? {
    var text = ""
    var buffer = [UInt8](repeating: 0, count: 4096)
    while !text.contains("\r\n\r\n") {
      let count = recv(connection, &buffer, buffer.count, 0)
      guard count > 0 else { return nil }
      text += String(decoding: buffer[..<count], as: UTF8.self)
    }
    let lines = text.components(separatedBy: "\r\n")
    let fields = lines.dropFirst().compactMap { line -> (String, String)? in
      guard let colon = line.firstIndex(of: ":") else { return nil }
      let value = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
      return (line[..<colon].lowercased(), value)
    }
    let path = lines[0].split(separator: " ").dropFirst().first.map(String.init) ?? ""
    return Request(path: path, headers: Dictionary(fields) { $1 })
  }

  private static func write(_ response: Response, to connection: Int32) {
    var head = "HTTP/1.1 \(response.status) X\r\nConnection: close\r\nContent-Length: \(response.body.count)\r\n"
    for (name, value) in response.headers { head += "\(name): \(value)\r\n" }
    var bytes = Array((head + "\r\n").utf8) + response.body.prefix(response.cut ?? response.body.count)
    while !bytes.isEmpty {
      let count = send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL))
      guard count > 0 else { return }
      bytes.removeFirst(count)
    }
  }
}

extension LoopbackServer.Response {
  /// A file as a server with ranges gives it: what is asked for, unless the tag says that it is another file.
  static func file(_ content: [UInt8], tag: String, for request: LoopbackServer.Request) -> Self {
    guard let start = request.rangeStart, request.headers["if-range"].map({ $0 == tag }) ?? true else {
      return Self(headers: ["ETag": tag], body: content)
    }
    guard start < content.count else { return Self(status: 416) }
    return Self(
      status: 206,
      headers: ["ETag": tag, "Content-Range": "bytes \(start)-\(content.count - 1)/\(content.count)"],
      body: Array(content[start...]))
  }
}
