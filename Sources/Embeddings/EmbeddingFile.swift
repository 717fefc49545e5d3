import Errors
import Formats
import Glibc
import Tensors

/// Embedding files: one safetensors tensor whose key is the trigger word, as diffusers and A1111 read and write them.
public enum EmbeddingFile {
  /// A text encoder has 77 positions, two of which are begin and end.
  public static let vectorLimit = 75
  /// 75 vectors of the widest known encoder in f64, and a header, stay well below it.
  public static let byteLimit = 4 << 20
  /// Vectors of token tables have norms of about 0.4 to 1, learned ones up to some tens.
  static let normLimit: Float = 1e4

  /// Reads a file.
  /// - Throws: `.fileUnavailable`; `.badFile` when it is no safetensors file; `.badEmbedding` when it holds no
  ///   embedding.
  public static func read(_ path: String) throws(InversionError) -> LearnedEmbedding {
    try read(bytes: bytes(of: path), path: path)
  }

  /// Reads a file's content; `path` gives the name when the file carries none, and stands in messages.
  public static func read(bytes: [UInt8], path: String) throws(InversionError) -> LearnedEmbedding {
    let file: SafetensorsFile
    do {
      file = try SafetensorsFile(bytes: bytes, path: path)
    } catch let error as InversionError {
      throw error
    } catch {
      throw InversionError(.badFile, "'\(path)': \(error)")
    }
    let entry = try onlyTensor(of: file)
    let (count, width) = try shape(of: entry, path: path)
    guard let dtype = entry.type.dtype, dtype.isFloatingPoint else {
      throw bad(path, "values of type \(entry.type.rawValue); an embedding holds floating-point numbers")
    }
    let vectors = widened(file.bytes(of: entry), dtype: dtype)
    precondition(vectors.count == count * width)
    try checkValues(vectors, width: width, path: path)
    return LearnedEmbedding(
      name: try name(key: entry.name, path: path), vectors: vectors, width: width, sha256: sha256Hex(of: bytes),
      metadata: file.metadata)
  }

  /// Writes one f32 tensor [vectors, width] under the trigger word; other loaders refuse a file with more.
  /// - Throws: `.fileUnavailable`; a file that was there before stays.
  public static func write(_ embedding: LearnedEmbedding, to path: String) throws(InversionError) {
    var writer = SafetensorsWriter(metadata: embedding.metadata)
    writer.add(embedding.name, shape: [embedding.count, embedding.width], values: embedding.vectors)
    do {
      try writer.write(to: path)
    } catch let error as InversionError {
      throw error
    } catch {
      throw InversionError(.fileUnavailable, "'\(path)': \(error)")
    }
  }

  /// The file's name without folder and extension.
  public static func stem(of path: String) -> String {
    let name = path.split(separator: "/").last.map(String.init) ?? path
    guard let dot = name.lastIndex(of: "."), dot != name.startIndex else { return name }
    return String(name[..<dot])
  }

  /// The trigger word: the tensor's key, or the file's stem where tools write a key that says nothing.
  private static func name(key: String, path: String) throws(InversionError) -> String {
    let name = genericKeys.contains(key) ? stem(of: path) : key
    guard isUsable(name: name) else {
      throw bad(path, "a name that cannot be written in a prompt; use printable characters, at most \(nameLimit) bytes")
    }
    return name
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

  private static let genericKeys: Set = ["emb_params", "emp_params", "clip_l", "clip_g", "*"]

  private static func onlyTensor(of file: SafetensorsFile) throws(InversionError) -> TensorEntry {
    let keys = file.tensors.keys.sorted()
    if let entry = file.tensors.values.first, keys.count == 1 {
      guard !entry.name.hasSuffix("_out") || !genericKeys.contains(String(entry.name.dropLast(4))) else {
        throw bad(file.path, "an output embedding ('\(entry.name)'), added behind the text encoder; not supported")
      }
      return entry
    }
    switch keys {
    case []: throw bad(file.path, "no tensor")
    case ["clip_g", "clip_l"], ["text_encoders_0", "text_encoders_1"]:
      throw bad(file.path, "a pair for the two text encoders of SDXL; the model has one")
    case _ where keys.contains { $0.hasPrefix("lora_") || $0.contains(".lora_") }:
      throw bad(file.path, "a LoRA, not an embedding")
    case _ where keys.contains("MID") && keys.contains("IN01"):
      throw bad(file.path, "an embedding for each layer of the U-Net (XTI); not supported")
    default:
      throw bad(file.path, "\(keys.count) tensors ('\(keys[0])', '\(keys[1])', ...); an embedding file has one")
    }
  }

  private static func shape(of entry: TensorEntry, path: String) throws(InversionError) -> (count: Int, width: Int) {
    guard (1...2).contains(entry.shape.count), let width = entry.shape.last else {
      throw bad(path, "shape \(entry.shape); an embedding is [width] or [vectors, width]")
    }
    let count = entry.shape.count == 1 ? 1 : entry.shape[0]
    guard count > 0, width > 0 else { throw bad(path, "shape \(entry.shape) holds no vector") }
    guard count <= vectorLimit else {
      throw bad(path, "\(count) vectors; a prompt has room for \(vectorLimit) tokens")
    }
    return (count, width)
  }

  private static func checkValues(_ vectors: [Float], width: Int, path: String) throws(InversionError) {
    guard vectors.allSatisfy(\.isFinite) else {
      throw bad(path, "values that are not finite (NaN or infinity); the training diverged, train again")
    }
    for start in stride(from: 0, to: vectors.count, by: width) {
      let squares = vectors[start..<start + width].reduce(0.0) { $0 + Double($1) * Double($1) }
      guard squares.squareRoot() <= Double(normLimit) else {
        throw bad(path, "vector \(start / width + 1) has a norm over \(Int(normLimit)); no trained embedding has")
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
      throw bad(path, "\(status.st_size) bytes; an embedding file has at most \(byteLimit)")
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
