import Zlib

/// A torch file's state dictionary as a source of weights.
///
/// Tensors that lie in the file as they are needed, which are nearly all, stay there; only views, compressed and
/// big-endian ones are copied. Every checksum is verified once, when the file is opened.
final class TorchWeights: WeightSource {
  let tensors: [String: TensorEntry]
  var path: String { file.path }
  private let file: TorchFile
  private let copies: [String: MappedFile]

  /// - Throws: `.badFile`.
  init(_ file: TorchFile) throws {
    self.file = file
    try file.verifyChecksums()
    var tensors: [String: TensorEntry] = [:]
    var copies: [String: MappedFile] = [:]
    for (name, tensor) in file.stateDictionary {
      let range: Range<Int>
      if let found = file.range(of: tensor) {
        range = found
      } else {
        let copy = try MappedFile(copying: file.bytes(of: tensor), path: file.path)
        range = 0..<copy.bytes.count
        copies[name] = copy
      }
      tensors[name] = TensorEntry(
        name: name, type: SafetensorsType(tensor.dtype), shape: tensor.shape, byteRange: range, path: file.path)
    }
    self.tensors = tensors
    self.copies = copies
  }

  func contents(of entry: TensorEntry) -> TensorContents {
    precondition(tensors[entry.name] == entry, "the entry is another file's")
    if let copy = copies[entry.name] { return TensorContents(copy.bytes, owner: copy) }
    return TensorContents(UnsafeRawBufferPointer(rebasing: file.content[entry.byteRange]), owner: file)
  }

  func release(_ entry: TensorEntry) {
    guard copies[entry.name] == nil else { return }
    adviseMapped(UnsafeRawBufferPointer(rebasing: file.content[entry.byteRange]), .dontNeed)
  }
}
