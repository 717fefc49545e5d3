import Errors
import Formats
import Glibc
import Tensors

/// Embedding files of every tool that is known to make them; docs/embeddings.md lists them.
public enum EmbeddingFile {
  /// A text encoder has 77 positions, two of which are begin and end.
  public static let vectorLimit = 75
  /// 75 vectors of the widest known encoder in f64, and a header, stay well below it; so does a card.
  public static let byteLimit = 4 << 20
  /// The widest text encoder of today has 4096.
  static let widthLimit = 1 << 14
  /// Vectors of token tables have norms of about 0.4 to 1, learned ones up to some tens.
  static let normLimit: Float = 1e4

  /// Reads a file, or the file in a folder of the sd-concepts-library.
  /// - Throws: `.fileUnavailable`; `.badFile` when it is damaged or no file of a known kind; `.badEmbedding` when it
  ///   holds no embedding.
  public static func read(_ path: String) throws(InversionError) -> LearnedEmbedding {
    let file = ConceptFolder.file(in: path) ?? path
    return try read(bytes: bytes(of: file), path: file)
  }

  /// Reads a file's content; `path` gives the name when the file carries none, and stands in messages.
  public static func read(bytes: [UInt8], path: String) throws(InversionError) -> LearnedEmbedding {
    guard let embedding = try readIfAny(bytes: bytes, path: path) else {
      throw bad(path, "a picture that carries no embedding")
    }
    return embedding
  }

  /// The same, but nil for a picture that is nothing else, such as a preview beside the embedding that it shows.
  static func readIfAny(bytes: [UInt8], path: String) throws(InversionError) -> LearnedEmbedding? {
    guard let container = EmbeddingContainer(sniffing: bytes) else {
      let what = "neither safetensors nor a file of torch, GGUF, PNG or WebP; get the embedding again"
      throw InversionError(.badFile, "'\(path)': \(ForeignContent.described(bytes) ?? what)")
    }
    do {
      guard let content = try content(of: bytes, container, path: path) else { return nil }
      return try interpret(content, bytes: bytes, path: path)
    } catch let error as InversionError {
      throw error
    } catch let fault as EmbeddingFault {
      throw bad(path, fault.reason)
    } catch {
      throw InversionError(.badFile, "'\(path)': \(error)")
    }
  }

  private static func content(
    of bytes: [UInt8], _ container: EmbeddingContainer, path: String
  ) throws -> EmbeddingContent? {
    switch container {
    case .safetensors: try EmbeddingContent(safetensors: bytes, path: path)
    case .torch: try EmbeddingContent(torch: bytes, path: path)
    case .gguf: try EmbeddingContent(gguf: bytes, path: path)
    case .png, .webp: try EmbeddingCard.content(of: bytes, container, path: path)
    }
  }

  private static func interpret(_ content: EmbeddingContent, bytes: [UInt8], path: String) throws -> LearnedEmbedding {
    let found = try EmbeddingInterpretation(content)
    let (vectors, width, layers) = try found.vectors()
    // A1111 calls a tensor file by its name, and a picture by what stands in it: pictures get renamed.
    let own = content.container.isPicture ? content.name : found.word
    let name = own ?? ConceptFolder.identifier(beside: path) ?? stem(of: path)
    guard isUsable(name: name) else {
      throw EmbeddingFault(
        "a name that cannot be written in a prompt; use printable characters, at most \(nameLimit) bytes")
    }
    let other = content.name.flatMap { $0 != name && isUsable(name: $0) ? $0 : nil }
    return LearnedEmbedding(
      name: name, otherName: other, vectors: vectors, width: width, layers: layers, sha256: sha256Hex(of: bytes),
      metadata: content.metadata, origin: EmbeddingOrigin(content.container, found.layout), notes: found.notes)
  }

  /// The file's name without folder and extension; the folder's for `cat-toy/learned_embeds.bin`, as the
  /// sd-concepts-library keeps its concepts.
  public static func stem(of path: String) -> String {
    let parts = path.split(separator: "/").map(String.init)
    guard let name = parts.last else { return path }
    guard let dot = name.lastIndex(of: "."), dot != name.startIndex else { return name }
    let stem = String(name[..<dot])
    return stem == ConceptFolder.fileStem && parts.count > 1 ? parts[parts.count - 2] : stem
  }

  /// Bytes of a name in UTF-8; file names have the same order of limit.
  public static let nameLimit = 200

  /// Whether a name can be written in a prompt, on one line.
  public static func isUsable(name: String) -> Bool {
    !name.isEmpty && name.utf8.count <= nameLimit && name.first != " " && name.last != " "
      && name.unicodeScalars.allSatisfy { scalar in
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: false
        default: true
        }
      }
  }

  private static func bad(_ path: String, _ reason: String) -> InversionError {
    InversionError(.badEmbedding, "'\(path)': \(reason)")
  }

  /// A copy of the file's bytes: a mapped file that is written in place would change, or fault, while it is read.
  /// - Throws: `.fileUnavailable`; `.badEmbedding` for a file that is too large for an embedding.
  public static func bytes(of path: String) throws(InversionError) -> [UInt8] {
    // O_NONBLOCK: the open of a named pipe without a writer would hang.
    let fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard fd >= 0 else { throw unreadable(path, String(cString: strerror(errno))) }
    defer { close(fd) }
    var status = stat()
    guard fstat(fd, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw unreadable(path, "not a regular file")
    }
    guard status.st_size <= byteLimit else {
      throw bad(
        path,
        "\(status.st_size) bytes, an embedding file has at most \(byteLimit); 'inversion models import' takes models")
    }
    // One byte more than there should be tells whether the file grew.
    var bytes = [UInt8](repeating: 0, count: Int(status.st_size) + 1)
    var count = 0
    while count < bytes.count {
      let received = bytes.withUnsafeMutableBytes { buffer in
        Glibc.read(fd, buffer.baseAddress.map { $0 + count }, buffer.count - count)
      }
      if received < 0 && errno == EINTR { continue }
      guard received >= 0 else { throw unreadable(path, String(cString: strerror(errno))) }
      if received == 0 { break }
      count += received
    }
    bytes.removeLast(bytes.count - count)
    return bytes
  }

  private static func unreadable(_ path: String, _ reason: String) -> InversionError {
    InversionError(.fileUnavailable, "'\(path)': cannot be read: \(reason)")
  }
}
