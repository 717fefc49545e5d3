import Embeddings
import Errors
import Formats
import Foundation
import Testing

/// Files that other tools wrote (Samples/README.md) and files made here.
@Suite struct EmbeddingFileTests {
  private func sample(_ name: String) throws -> String {
    try #require(Bundle.module.path(forResource: name, ofType: "safetensors", inDirectory: "Samples"))
  }

  /// The values' SHA-256 as little-endian f32, computed by PyTorch.
  @Test(arguments: [
    (
      "EasyNegativeLike", "EasyNegativeLike", 8, 768, "989a3b1691bb2cce49cf3d2ba37419aef928ef392ed571ba058c47b90140b453"
    ),
    ("bf16", "bf16", 2, 768, "2cec6149154ae3ac89f78dd5751d225bf56f0dc5425c9ff847f92ad404c2d769"),
    ("f8", "f8", 2, 768, "75992801cce1fee1c5245b0c3a64a9db5ae715c199e4bab6ea94326741af6e63"),
    ("diffusers_1d", "<cat-toy>", 1, 768, "c43280e19d7404ffa6bbf72e4383d6140a8125f0685d8a96f4126ce571f62b7e"),
    ("diffusers_multi_vector_5", "<cat>", 5, 768, "40c2c9fb31677a3c77148edd280280a33ea792c9ec3fc933fe57d1d86a6d99c7"),
    (
      "onetrainer_emp_params", "onetrainer_emp_params", 3, 768,
      "36f05f8bf1cf08039702712b1d6ab986dc248a00709e296bcbc1ecced3b67a08"
    ),
    ("sd2_emb_params", "sd2_emb_params", 4, 1024, "6355b25ed49f130cb9e7fc2c831d03120685944d890608dbf58e9c149e1565bd"),
  ]) func readsOtherTools(file: String, name: String, count: Int, width: Int, sha256: String) throws {
    let embedding = try EmbeddingFile.read(sample(file))
    #expect(embedding.name == name)
    #expect(embedding.count == count)
    #expect(embedding.width == width)
    #expect(embedding.vectors.withUnsafeBytes { sha256Hex(of: $0) } == sha256)
    #expect(try embedding.sha256 == sha256Hex(ofFile: sample(file)))
  }

  @Test(arguments: [
    ("int_dtype", "I64"), ("lora_not_embedding", "LoRA"), ("nan_value", "not finite"),
    ("onetrainer_emp_params_out", "output embedding"), ("rank3", "[1, 2, 768]"),
    ("two_unknown_keys", "2 tensors"),
  ]) func refusesWithTheReason(file: String, reason: String) throws {
    let path = try sample(file)
    let error = #expect(throws: InversionError.self) { try EmbeddingFile.read(path) }
    #expect(error?.code == .badEmbedding)
    #expect(error?.message.hasPrefix("'\(path)': ") == true)
    #expect(error?.message.contains(reason) == true, "\(error?.message ?? "")")
  }

  private func file(key: String, shape: [Int], _ values: [Float]) throws -> [UInt8] {
    let folder = try TemporaryFolder()
    var writer = SafetensorsWriter()
    writer.add(key, shape: shape, values: values)
    try writer.write(to: folder.path + "/x.safetensors")
    return try [UInt8](Data(contentsOf: URL(filePath: folder.path + "/x.safetensors")))
  }

  private func read(_ bytes: [UInt8], as path: String = "a/my-style.safetensors") throws -> LearnedEmbedding {
    try EmbeddingFile.read(bytes: bytes, path: path)
  }

  @Test func vectorCountHasALimit() throws {
    let limit = EmbeddingFile.vectorLimit
    let most = try read(file(key: "<x>", shape: [limit, 2], Array(repeating: 0.5, count: limit * 2)))
    #expect(most.count == limit)
    let over = try file(key: "<x>", shape: [limit + 1, 2], Array(repeating: 0.5, count: limit * 2 + 2))
    #expect(throws: InversionError(.badEmbedding, "'p': 76 vectors; a prompt has room for 75 tokens")) {
      try read(over, as: "p")
    }
    #expect(throws: InversionError.self) { try read(file(key: "<x>", shape: [0, 4], [])) }
    #expect(throws: InversionError.self) { try read(file(key: "<x>", shape: [1, 0], [])) }
  }

  @Test func absurdNormsAreRefused() throws {
    #expect(try read(file(key: "<x>", shape: [2], [6000, 8000])).count == 1)
    let error = try #require(
      #expect(throws: InversionError.self) { try read(file(key: "<x>", shape: [2, 2], [0, 1, 6000, 8001])) })
    #expect(error.message.contains("vector 2 has a norm over 10000"))
    // Their squares overflow f32.
    #expect(throws: InversionError.self) { try read(file(key: "<x>", shape: [2], [3e38, 3e38])) }
    #expect(throws: InversionError.self) { try read(file(key: "<x>", shape: [2], [.infinity, 0])) }
  }

  @Test(arguments: [
    ("emb_params", "my-style"), ("*", "my-style"), ("clip_l", "my-style"), ("<cat>", "<cat>"), ("猫", "猫"),
  ]) func nameIsTheKeyOrTheStem(key: String, expected: String) throws {
    #expect(try read(file(key: key, shape: [2], [1, 2])).name == expected)
  }

  @Test(arguments: ["", "a\nb", "a\u{200B}b", " a", String(repeating: "x", count: 201)])
  func namesThatNoPromptCanCall(key: String) throws {
    let bytes = try file(key: key, shape: [2], [1, 2])
    #expect(throws: InversionError.self) { try read(bytes) }
  }

  @Test func truncatedAtEveryByte() throws {
    let bytes = try file(key: "<cat>", shape: [1, 3], [1, 2, 3])
    for count in 0..<bytes.count {
      let error = #expect(throws: InversionError.self) { try read(Array(bytes[..<count])) }
      #expect(error?.code == .badFile)
    }
  }

  /// The length of the header begins the file: as a pickle (640), as a zip (19280).
  @Test(arguments: [0x0280, 0x4B50]) func aHeaderThatBeginsAsAnotherFileIsRead(length: Int) throws {
    let json = "{\"<cat>\":{\"dtype\":\"F32\",\"shape\":[1,1],\"data_offsets\":[0,4]}}"
    let header = Array(json.utf8) + [UInt8](repeating: UInt8(ascii: " "), count: length - json.utf8.count)
    let size = (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) }
    #expect(try read(size + header + [0, 0, 0x80, 0x3F]).vectors == [1])
  }

  @Test func writtenFilesReadBackTheSame() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/cat.safetensors"
    let written = LearnedEmbedding(
      name: "<my-cat>", vectors: [1, -2.5, 3e-8, 4, 5, 6], width: 3, sha256: "", metadata: ["base_model": "emoji-64"])
    try EmbeddingFile.write(written, to: path)
    let read = try EmbeddingFile.read(path)
    #expect(read.name == "<my-cat>" && read.vectors == written.vectors && read.count == 2)
    #expect(read.metadata == written.metadata)
    let tensors = try SafetensorsFile(path: path).tensors
    #expect(tensors.keys.sorted() == ["<my-cat>"])
    #expect(tensors["<my-cat>"]?.shape == [2, 3] && tensors["<my-cat>"]?.type == .f32)
  }

  @Test func whatIsNoFileIsUnavailable() throws {
    let folder = try TemporaryFolder()
    mkfifo(folder.path + "/pipe.safetensors", 0o600)
    for name in ["missing.safetensors", "pipe.safetensors", "."] {
      let error = #expect(throws: InversionError.self) { try EmbeddingFile.read("\(folder.path)/\(name)") }
      #expect(error?.code == .fileUnavailable)
    }
    _ = FileManager.default.createFile(atPath: folder.path + "/big.safetensors", contents: nil)
    truncate(folder.path + "/big.safetensors", EmbeddingFile.byteLimit + 1)
    let error = #expect(throws: InversionError.self) { try EmbeddingFile.read(folder.path + "/big.safetensors") }
    #expect(error?.code == .badEmbedding)
  }
}
