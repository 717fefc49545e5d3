/// What people have under the name of a file of weights, and what it is instead.
package enum ForeignContent {
  /// What the first bytes show, and what to do about it; nil where they show nothing.
  package static func described(_ bytes: UnsafeRawBufferPointer) -> String? {
    guard !bytes.isEmpty else { return "an empty file; get it again" }
    let start = Array(bytes.prefix(256))
    // safetensors: the length of a header may be the first bytes of anything, 35615 those of gzip.
    let header = SafetensorsHeader.prefixLength
    guard start.count <= header || start[header] != UInt8(ascii: "{") || start[4..<header].contains(where: { $0 != 0 })
    else { return nil }
    if start.starts(with: "version https://git-lfs".utf8) {
      return "a Git LFS pointer, not the file itself; run 'git lfs pull' where it was cloned, or download the file"
    }
    let known = magic.first { start.starts(with: $0.bytes) }
    if let known { return "\(known.what); \(known.advice)" }
    let text = plainText(start)
    if let text, ["<!doctype html", "<html"].contains(where: { text.lowercased().hasPrefix($0) }) {
      return "a web page that was saved under this name; download the file itself, signed in if the site asks for it"
    }
    // Not a word of it: who sees the message need not be who may read the file.
    if let text {
      return "\(text.hasPrefix("{") ? "JSON" : "plain") text, such as an error of a download; get it again"
    }
    return nil
  }

  package static func described(_ bytes: [UInt8]) -> String? { bytes.withUnsafeBytes { described($0) } }

  /// Whether tensors of such names are a LoRA's.
  package static func isLoRA(_ names: some Sequence<String>) -> Bool {
    let marks = [".lora_", ".hada_", ".lokr_", "_lora."]
    return names.contains { name in name.hasPrefix("lora_") || marks.contains { name.contains($0) } }
  }

  /// The bytes without the space before them; nil where one of them is of no text.
  private static func plainText(_ bytes: [UInt8]) -> String? {
    let space: Set<UInt8> = [9, 10, 13, 32]
    guard bytes.allSatisfy({ $0 >= 32 && $0 != 127 || space.contains($0) }) else { return nil }
    // The last character may be cut.
    let whole = (0..<4).lazy.compactMap { String(validating: bytes.dropLast($0), as: UTF8.self) }.first
    return whole.map { String($0.drop(while: \.isWhitespace)) }
  }

  private static let unpack = "unpack it first"
  private static let another = "give another file"
  private static let magic: [(bytes: [UInt8], what: String, advice: String)] = [
    ([0x89, 0x50, 0x4E, 0x47], "a PNG picture", another), ([0xFF, 0xD8, 0xFF], "a JPEG picture", another),
    (Array("RIFF".utf8), "a WebP picture or a sound", another), (Array("%PDF".utf8), "a PDF document", another),
    ([0x1F, 0x8B], "a gzip archive", unpack), (Array("7z".utf8) + [0xBC, 0xAF], "a 7z archive", unpack),
    (Array("Rar!".utf8), "a RAR archive", unpack), ([0xFD] + Array("7zXZ".utf8), "an xz archive", unpack),
    ([0x89] + Array("HDF".utf8), "an HDF5 file of Keras", "get the model as safetensors"),
  ]
}
