import Embeddings
import Errors
import Formats
import Foundation
import Testing

/// Files of every tool (Samples/README.md, and those of FormatsTests), each with the SHA-256 of its values as f32.
struct ReaderSample: Sendable, CustomTestStringConvertible {
  let path: String
  let name: String
  let other: String?
  let shape: [Int]
  let layout: EmbeddingLayout
  let sha256: String

  init(
    _ path: String, _ name: String, other: String? = nil, _ shape: [Int], _ layout: EmbeddingLayout, _ sha256: String
  ) {
    (self.path, self.name, self.other, self.shape) = (path, name, other, shape)
    (self.layout, self.sha256) = (layout, sha256)
  }

  var testDescription: String { path }

  static func path(_ file: String) -> String {
    let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    let folder = file.hasPrefix("torch") || file.hasPrefix("gguf") ? "FormatsTests" : "EmbeddingsTests"
    return tests.appending(path: "\(folder)/Samples/\(file)").path
  }

  private static let f16 = "4f5a0b86c74ad8d98e5b1da2c59784b173d74acf2b0070499523040bcaabe7cd"
  private static let style = "4e10d2da866783887def3170493bc4a055ea853cc553941464afd17b52ba13d6"
  private static let card = "bc5bc1f525d946a2f0759793f800cbff947becd52273afad76c09cd73ad5df3e"
  private static let toy = "50fda5b308c78016da4a160019927561871fb448606bc0189cc86b6e99a43789"

  static let all = [
    ReaderSample("torch/learned_embeds_3x768_f16.zip.bin", "<s1>", [3, 768], .diffusers, f16),
    ReaderSample("torch/learned_embeds_3x768_f16.legacy.bin", "<s1>", [3, 768], .diffusers, f16),
    ReaderSample("torch/big_endian_f16.pt", "<s1>", [3, 768], .diffusers, f16),
    ReaderSample("torch/deflated.pt", "<cat-toy>", [1, 768], .diffusers, toy),
    ReaderSample(
      "torch/learned_embeds_2x8_bf16.legacy.bin", "<bf>", [2, 8], .diffusers,
      "1e108cf2a542d27dbb39b2ebe12a20256a6fe1e119f79625281297fbfde3bc9f"),
    ReaderSample("torch/a1111_1v.zip.pt", "a1111_1v.zip", other: "my-style", [1, 768], .a1111, style),
    ReaderSample("torch/a1111_1v.legacy.pt", "a1111_1v.legacy", other: "my-style", [1, 768], .a1111, style),
    ReaderSample(
      "torch/a1111_8v_untrained.legacy.pt", "a1111_8v_untrained.legacy", other: "my-style", [8, 768], .a1111,
      "695c0169655ee51322b4d8fa0caa2b6c3b880f4ed1022420bf1367d814be3a2e"),
    ReaderSample(
      "torch/a1111_sd2_2v.zip.pt", "a1111_sd2_2v.zip", other: "sd2-style", [2, 1024], .a1111,
      "60fb63acc0d259db10b295b9c6cca33906a579f6397cbc46b8e8931bd7bc79a7"),
    ReaderSample(
      "torch/ldm_parameterdict_torch111.pt", "ldm_parameterdict_torch111", [1, 768], .paper,
      "2c3eb92a941e9c7b3239d02cc992c525035dc85ae04a952e015909b487e1bd9e"),
    ReaderSample(
      "torch/kohya_emb_params_4v_f16.zip.pt", "kohya_emb_params_4v_f16.zip", [4, 768], .kohya,
      "b467d9ab9b2f9d6c5d9c27af6c7a6f8074a0ca0f97daf5e69cc1abe51d4dc569"),
    ReaderSample(
      "torch/parameter_plain.zip.pt", "tok", [1, 8], .diffusers,
      "7bbe6493420e8a9c8358ad13655da2fe45a920bfe833c5c0f86d4c1dfa2103c8"),
    ReaderSample(
      "torch/bare_tensor_2x8.legacy.pt", "bare_tensor_2x8.legacy", [2, 8], .bare,
      "95a805daf0560474640801a2db6c5efe9972db42b23a33b0d0cab5ad3875fabd"),
    ReaderSample(
      "torch/sdxl_clip_l_clip_g_2v.zip.pt", "sdxl_clip_l_clip_g_2v.zip", [2, 768], .sdxl,
      "f714c30cb20ca2eca093e8fc28612feca6c4efa1a7ee2afebb4200c4c0893bd0"),
    ReaderSample(
      "sdxl_clip_l_clip_g.safetensors", "sdxl_clip_l_clip_g", [4, 768], .sdxl,
      "481da8de5f9ac283d2c973bce7bb33dd8cbaa3154a949e2d7cbef837c4100188"),
    ReaderSample(
      "sdxl_text_encoders_0_1.safetensors", "sdxl_text_encoders_0_1", [2, 768], .sdxl,
      "01140384a17e86d11e8184eac8c82384d8527619b523b2994987feb4e791c82f"),
    ReaderSample("cards/text_chunk.png", "img-style", [1, 768], .card, card),
    ReaderSample("cards/itxt_chunk.png", "img-style", [1, 768], .card, card),
    ReaderSample("cards/ztxt_chunk.png", "img-style", [1, 768], .card, card),
    ReaderSample("cards/stego.png", "img-style", [1, 768], .hiddenCard, card),
    ReaderSample("cards/stego_rgba.png", "img-style", [1, 768], .hiddenCard, card),
    ReaderSample("cards/stego_lossless.webp", "img-style", [1, 768], .hiddenCard, card),
    ReaderSample(
      "cards/stego_and_text_4v.png", "four", [4, 768], .card,
      "b521c4157bd5c94cc36785240507267591efdc638bb8bb06941f2db18358b77a"),
  ]
}

@Suite struct ReaderTests {
  @Test(arguments: ReaderSample.all)
  func readsEveryTool(_ sample: ReaderSample) throws {
    let path = ReaderSample.path(sample.path)
    let embedding = try EmbeddingFile.read(path)
    #expect(embedding.name == sample.name && embedding.otherName == sample.other)
    #expect([embedding.count, embedding.width] == sample.shape && !embedding.isPerLayer)
    #expect(embedding.origin?.layout == sample.layout)
    #expect(embedding.vectors.withUnsafeBytes { sha256Hex(of: $0) } == sample.sha256)
    #expect(try embedding.sha256 == sha256Hex(ofFile: path))
    #expect(embedding.notes.isEmpty == (sample.layout != .sdxl))
  }

  /// A part of each refusal; pictures without anything are refused here and left out by the store.
  @Test(arguments: [
    ("wrong_dim_769.safetensors", nil), ("bundle_emb.safetensors", "LoRA with an embedding inside"),
    ("diffusers_attn_procs_old.safetensors", "LoRA"), ("diffusers_peft.safetensors", "LoRA"),
    ("torch/unicode_keys.zip.pt", "2 tensors"), ("torch/list_of_dicts.zip.pt", "2 tensors"),
    ("torch/ordered_nested.zip.ckpt", "no tensor"), ("gguf/more_types.gguf", "tensors"),
    ("cards/plain.png", "carries no embedding"), ("cards/all_black.png", "carries no embedding"),
    ("cards/stego_lossy.webp", "carries no embedding"), ("cards/stego.jpg", "a JPEG picture"),
    ("cards/png_truncated.png", "damaged png"), ("cards/stego_zlib_bomb.png", "more than 16777216 bytes"),
    ("cards/text_nan.png", "not finite"), ("cards/text_no_param.png", "without 'string_to_param'"),
    ("cards/text_not_json.png", "damaged card"),
  ]) func refusesWithTheReason(file: String, reason: String?) throws {
    let path = ReaderSample.path(file)
    guard let reason else {
      #expect(try EmbeddingFile.read(path).width == 769, "the width is the model's matter")
      return
    }
    let error = #expect(throws: InversionError.self) { try EmbeddingFile.read(path) }
    #expect(error?.message.hasPrefix("'\(path)': ") == true)
    #expect(error?.message.contains(reason) == true, "\(error?.message ?? "")")
  }

  /// All hostile torch files: none is read as an embedding.
  @Test func refusesHostileTorchFiles() throws {
    let folder = ReaderSample.path("torch-bad")
    let files = try FileManager.default.contentsOfDirectory(atPath: folder)
    #expect(files.count > 50)
    for file in files where file != "legacy_big_endian_flag.pt" {
      let error = #expect(throws: InversionError.self, "\(file)") { try EmbeddingFile.read("\(folder)/\(file)") }
      #expect(error?.code == .badFile || error?.code == .badEmbedding)
    }
  }

  @Test func readsVectorsOfEveryLayer() throws {
    let embedding = try EmbeddingFile.read(ReaderSample.path("xti_16_layers.safetensors"))
    #expect(embedding.isPerLayer && embedding.layers == 16 && embedding.count == 1 && embedding.width == 768)
    #expect(embedding.origin?.layout == .xti)
    let first = Array(embedding.vectors[..<768]).withUnsafeBytes { sha256Hex(of: $0) }
    #expect(first == "41e4cafd693d2553cf5965770205d8e5f6200bed6c532c283b1a5970400e8d15")
    let second = Array(embedding.vectors[768..<1536]).withUnsafeBytes { sha256Hex(of: $0) }
    #expect(second == "958ee4dbff5f55aba551f8c5a77d8332d9f694d60a19decd3380a61a1287cff1")
  }

  @Test func readsKeysOfInvokeTogether() throws {
    let folder = try TemporaryFolder()
    var writer = SafetensorsWriter()
    for (key, value) in [("<tok>_2", 3), ("<tok>", 1), ("<tok>_1", 2)] as [(String, Float)] {
      writer.add(key, shape: [2], values: [value, value])
    }
    try writer.write(to: folder.path + "/x.safetensors")
    let embedding = try EmbeddingFile.read(folder.path + "/x.safetensors")
    #expect(embedding.name == "<tok>" && embedding.vectors == [1, 1, 2, 2, 3, 3] && embedding.count == 3)
    #expect(embedding.origin?.layout == .invoke)
  }

  @Test func readsOneTrainersPairOfInputAndOutput() throws {
    let folder = try TemporaryFolder()
    var writer = SafetensorsWriter()
    writer.add("emp_params", shape: [1, 2], values: [1, 2])
    writer.add("emp_params_out", shape: [1, 2], values: [3, 4])
    try writer.write(to: folder.path + "/cat.safetensors")
    let embedding = try EmbeddingFile.read(folder.path + "/cat.safetensors")
    #expect(embedding.name == "cat" && embedding.vectors == [1, 2])
    #expect(embedding.notes.count == 1 && embedding.notes[0].contains("emp_params_out"))
  }

  @Test func readsConceptFolders() throws {
    let folder = try TemporaryFolder()
    let concept = folder.path + "/cat-toy"
    try FileManager.default.createDirectory(atPath: concept, withIntermediateDirectories: true)
    let source = ReaderSample.path("torch/learned_embeds_1x768_f32.legacy.bin")
    try FileManager.default.copyItem(atPath: source, toPath: concept + "/learned_embeds.bin")
    try "<other>".write(toFile: concept + "/token_identifier.txt", atomically: true, encoding: .utf8)
    #expect(try EmbeddingFile.read(concept).name == "<cat-toy>", "the key is what diffusers goes by")
    #expect(EmbeddingFile.stem(of: concept + "/learned_embeds.bin") == "cat-toy")
    let bare = ReaderSample.path("torch/bare_tensor_2x8.legacy.pt")
    try FileManager.default.removeItem(atPath: concept + "/learned_embeds.bin")
    try FileManager.default.copyItem(atPath: bare, toPath: concept + "/learned_embeds.bin")
    #expect(try EmbeddingFile.read(concept).name == "<other>")
  }

  @Test func readsGGUF() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/cat.gguf"
    // One f32 tensor 'emb_params' of 2 x 3 (the file has the fastest dimension first), no metadata.
    var bytes = Array("GGUF".utf8) + little(UInt32(3)) + little(UInt64(1)) + little(UInt64(0))
    bytes += little(UInt64(10)) + Array("emb_params".utf8) + little(UInt32(2)) + little(UInt64(3)) + little(UInt64(2))
    bytes += little(UInt32(0)) + little(UInt64(0))
    bytes += [UInt8](repeating: 0, count: 32 - bytes.count % 32)
    for value in 1...6 { bytes += little(Float(value).bitPattern) }
    try Data(bytes).write(to: URL(filePath: path))
    let embedding = try EmbeddingFile.read(path)
    #expect(embedding.name == "cat" && embedding.count == 2 && embedding.vectors == [1, 2, 3, 4, 5, 6])
    #expect(embedding.origin?.container == .gguf)
  }

  private func little<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
    withUnsafeBytes(of: number.littleEndian) { Array($0) }
  }
}
