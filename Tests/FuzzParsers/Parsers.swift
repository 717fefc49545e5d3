import Embeddings
import Errors
import Formats
import Images
import StrictJSON

/// Every parser that meets bytes from outside, by the name that `make fuzz` and the folders of CrashTests use. Each
/// reads all that the input gives access to, so that lazy parts are reached too.
public let parsers: [String: @Sendable ([UInt8]) -> Void] = [
  "safetensors": safetensors, "torch": torch, "pickle": fuzzPickle, "zip": fuzzZip, "gguf": gguf,
  "png": picture, "jpeg": picture, "webp": picture, "embedding": embedding, "json": json, "tokenizer": tokenizer,
  "prompt": promptNames, "grammar": promptGrammar, "encoding": promptEncoding, "request": generateBody,
  "compatible": compatibleBody, "multipart": multipartBody, "infotext": infotext,
]

/// Runs a parser. Input that it refuses is fine, as long as it says so in the way that callers expect.
func refusing(_ body: () throws -> Void) {
  do {
    try body()
  } catch let error as InversionError {
    precondition(error.code != .internal && !error.message.isEmpty)
  } catch {
    preconditionFailure("\(error)")
  }
}

@Sendable private func safetensors(_ bytes: [UInt8]) {
  refusing {
    let file = try SafetensorsFile(bytes: bytes, path: "x")
    for entry in file.tensors.values { consume(file.bytes(of: entry)) }
  }
}

@Sendable private func torch(_ bytes: [UInt8]) {
  refusing {
    let file = try TorchFile(bytes: bytes, path: "x")
    for tensor in file.stateDictionary.values { try file.bytes(of: tensor).withUnsafeBytes(consume) }
  }
}

@Sendable private func gguf(_ bytes: [UInt8]) {
  refusing {
    let file = try GGUFFile(bytes: bytes, path: "x")
    for tensor in file.tensors.values {
      consume(file.bytes(of: tensor))
      refusing { _ = try file.floats(of: tensor) }
    }
  }
}

/// Pixels, text chunks and EXIF, of whatever format the first bytes show.
@Sendable private func picture(_ bytes: [UInt8]) {
  _ = readPNGTexts(bytes)
  _ = readParameters(bytes)
  // As many pixels as an input of this size could reasonably have.
  let limits = PictureLimits(bytes: 1 << 20, pixels: 1 << 18)
  refusing { _ = try DecodedPicture(bytes, source: "x", transparency: .ignored, limits: limits) }
}

/// Whatever is read as an embedding has finite vectors and a name that can be written.
@Sendable private func embedding(_ bytes: [UInt8]) {
  refusing {
    let embedding = try EmbeddingFile.read(bytes: bytes, path: "x.pt")
    precondition(embedding.vectors.count == embedding.layers * embedding.count * embedding.width)
    precondition(embedding.vectors.allSatisfy(\.isFinite) && EmbeddingFile.isUsable(name: embedding.name))
  }
}

/// Every value of the text, visited.
@Sendable private func json(_ bytes: [UInt8]) {
  do {
    var scanner = try JSONScanner(bytes)
    try visit(&scanner)
    try scanner.end()
  } catch let error as JSONError {
    precondition(error.offset >= 0 && error.offset <= bytes.count)
  } catch {
    preconditionFailure("\(error)")
  }
}

private func visit(_ scanner: inout JSONScanner) throws {
  switch scanner.nextKind() {
  case .object: try scanner.object { scanner, _ in try visit(&scanner) }
  case .array: try scanner.array { try visit(&$0) }
  case .string: _ = try scanner.string()
  case .number: _ = try scanner.number()
  case .boolean, .null, nil: try scanner.skipValue()
  }
}

/// Touches every byte, so that the sanitizer sees a range that reaches out of its memory.
private func consume(_ bytes: UnsafeRawBufferPointer) {
  precondition(bytes.reduce(0) { $0 &+ Int($1) } >= 0)
}
