import Errors
import Formats
import Foundation
import Testing

@Suite struct DiffusersFolderTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try folder.write(Array(#"{"_class_name":"StableDiffusionPipeline"}"#.utf8), "model_index.json")
    try folder.write(Array(#"{"layers":1}"#.utf8), "unet/config.json")
  }

  private func model() throws -> DiffusersFolder { try DiffusersFolder(path: folder.path) }

  /// A file with one-element tensors of these names; the value tells files apart.
  private func weights(_ file: String, _ names: [String], value: Float = 1) throws {
    var writer = SafetensorsWriter()
    for name in names { writer.add(name, shape: [1], values: [value]) }
    try writer.write(to: folder.file(file))
  }

  private func value(_ name: String, _ set: WeightSet) throws -> Float {
    try set.contents(of: set.entry(name)).bytes.loadUnaligned(as: Float.self)
  }

  private func failure(_ code: InversionError.Code, _ parts: String..., of body: () throws -> Void) throws {
    let error = try #require(throws: InversionError.self) { try body() }
    #expect(error.code == code)
    for part in parts { #expect(error.message.contains(part), "\(error.message)") }
  }

  @Test func readsIndexConfigAndSingleFile() throws {
    try weights("unet/diffusion_pytorch_model.safetensors", ["a", "b"], value: 2)
    try weights("unet/diffusion_pytorch_model.fp16.safetensors", ["a", "b"], value: 3)
    #expect(try String(decoding: model().modelIndex, as: UTF8.self).contains("StableDiffusionPipeline"))
    #expect(try model().config(of: "unet") == Array(#"{"layers":1}"#.utf8))
    let set = try model().weights(of: "unet")
    #expect(try set.names.sorted() == ["a", "b"] && value("b", set) == 2)
    #expect(set["c"] == nil)
    try failure(.badModel, "'c'", "diffusion_pytorch_model.safetensors") { _ = try set.entry("c") }
  }

  @Test func fallsBackToTheVariant() throws {
    try weights("unet/model.fp16.safetensors", ["a"], value: 3)
    let set = try model().weights(of: "unet")
    #expect(try value("a", set) == 3)
  }

  @Test(arguments: [
    "diffusion_pytorch_model.safetensors.index.json", "diffusion_pytorch_model.safetensors.index.fp16.json",
    "model.fp16.safetensors.index.json",
  ])
  func mergesShards(_ index: String) throws {
    try weights("unet/x-1.safetensors", ["a"], value: 1)
    try weights("unet/x-2.safetensors", ["b"], value: 2)
    let map = #"{"metadata":{"total_size":8},"weight_map":{"b":"x-2.safetensors","a":"x-1.safetensors"}}"#
    try folder.write(Array(map.utf8), "unet/\(index)")
    let set = try model().weights(of: "unet")
    #expect(try value("a", set) == 1 && value("b", set) == 2)
    #expect(set.paths == [folder.file("unet/x-1.safetensors"), folder.file("unet/x-2.safetensors")])
  }

  @Test func namesWhatShardsLack() throws {
    let index = "unet/diffusion_pytorch_model.safetensors.index.json"
    try folder.write(Array(#"{"weight_map":{"a":"x.safetensors"}}"#.utf8), index)
    try failure(.fileUnavailable, "x.safetensors") { _ = try model().weights(of: "unet") }
    try weights("unet/x.safetensors", ["b"])
    try failure(.badModel, "'a'", "x.safetensors") { _ = try model().weights(of: "unet") }
    try weights("unet/y.safetensors", ["a", "b"])
    try folder.write(Array(#"{"weight_map":{"a":"y.safetensors","b":"x.safetensors"}}"#.utf8), index)
    try failure(.badModel, "'b'", "x.safetensors", "y.safetensors") { _ = try model().weights(of: "unet") }
    for bad in [#"{"weight_map":{"a":"../x"}}"#, #"{"weight_map":{}}"#, "{}"] {
      try folder.write(Array(bad.utf8), index)
      try failure(.badModel, index) { _ = try model().weights(of: "unet") }
    }
    try folder.write(Array("{".utf8), index)
    try failure(.badFile, index) { _ = try model().weights(of: "unet") }
  }

  @Test(arguments: [
    "views_shared_storage.zip.pt", "views_shared_storage.legacy.pt", "big_endian_f32.pt", "deflated.pt",
  ])
  func readsTorchWeights(_ sample: String) throws {
    try folder.write(sampleBytes("torch/\(sample)"), "unet/diffusion_pytorch_model.bin")
    let set = try model().weights(of: "unet")
    let expected = try #require(TorchSample.all.first { $0.file == "torch/\(sample)" })
    #expect(set.names.count == expected.tensors.count)
    for tensor in expected.tensors {
      let entry = try set.entry(tensor.path[0])
      #expect(entry.shape == tensor.shape && entry.type.rawValue == tensor.dtype)
      let contents = try set.contents(of: entry)
      #expect(sha256Hex(of: contents.bytes) == tensor.sha256, "\(tensor.path)")
    }
  }

  @Test func safetensorsComeBeforeTorch() throws {
    try folder.write([1], "unet/diffusion_pytorch_model.bin")
    try weights("unet/diffusion_pytorch_model.fp16.safetensors", ["a"], value: 3)
    #expect(try value("a", model().weights(of: "unet")) == 3)
  }

  @Test func torchChecksumsAreVerified() throws {
    try folder.write(sampleBytes("torch-bad/crc_mismatch.pt"), "unet/pytorch_model.bin")
    try failure(.badFile, "checksum", "pytorch_model.bin") { _ = try model().weights(of: "unet") }
  }

  @Test func namesMissingPieces() throws {
    try failure(.fileUnavailable, "'\(folder.path)/vae'") { _ = try model().config(of: "vae") }
    try failure(.fileUnavailable, "scheduler_config.json") {
      _ = try model().config(of: "unet", file: "scheduler_config.json")
    }
    try failure(.fileUnavailable, "/unet'", "no weights") { _ = try model().weights(of: "unet") }
    try folder.write([1], "unet/diffusion_pytorch_model.bin")
    try failure(.badFile, "diffusion_pytorch_model.bin") { _ = try model().weights(of: "unet") }
    try failure(.fileUnavailable, "no such file or folder") { _ = try DiffusersFolder(path: folder.file("none")) }
    try failure(.fileUnavailable, "unet/model_index.json") { _ = try DiffusersFolder(path: folder.file("unet")) }
  }

  /// What people give instead of a model's folder, and what to give.
  @Test func saysWhereTheModelIs() throws {
    func advice(_ part: String, in path: String) throws {
      try failure(.fileUnavailable, part) { _ = try DiffusersFolder(path: folder.file(path)) }
    }
    try FileManager.default.createDirectory(atPath: folder.file("empty"), withIntermediateDirectories: true)
    try advice("the folder is empty", in: "empty")
    try folder.write(Array("{}".utf8), "hub/snapshots/abc/model_index.json")
    try advice("give '\(folder.file("hub"))/snapshots/abc'", in: "hub")
    try advice("give '\(folder.file("hub/snapshots"))/abc'", in: "hub/snapshots")
    try folder.write([1], "webui/sd15.ckpt")
    try advice("'\(folder.file("webui"))/sd15.ckpt'", in: "webui")
    try folder.write([1], "torn/unet/config.json")
    try advice("get this file of the model too", in: "torn")
  }

  /// As in the cache of the Hugging Face hub, whose files are links into its store.
  @Test func followsLinksAndNamesThoseThatLeadNowhere() throws {
    try FileManager.default.createDirectory(atPath: folder.file("blobs"), withIntermediateDirectories: true)
    try weights("blobs/1", ["a"], value: 4)
    let link = folder.file("unet/diffusion_pytorch_model.safetensors")
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "../blobs/1")
    #expect(try value("a", model().weights(of: "unet")) == 4)
    try FileManager.default.removeItem(atPath: folder.file("blobs/1"))
    try failure(.fileUnavailable, "'\(link)': a link to '../blobs/1', which is not there") {
      _ = try model().weights(of: "unet")
    }
  }

  /// What people have under the name of a file of weights.
  @Test(arguments: [
    ("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 4265146304\n", "Git LFS pointer"),
    ("\n<!DOCTYPE html>\n<html><head><title>Log in</title></head></html>", "a web page"),
    ("<html lang=\"en\">", "a web page"), ("{\"error\": \"Invalid username or password.\"}", "JSON text"),
    ("hello, this is a note\n", "plain text"), ("déjà vu", "plain text"), ("", "an empty file"),
    ("%PDF-1.7", "a PDF document"),
  ])
  func saysWhatIsNoWeights(content: String, what: String) throws {
    for name in ["x.ckpt", "x.safetensors"] {
      try folder.write(Array(content.utf8), name)
      try failure(.badFile, "'\(folder.file(name))': ", what) { _ = try WeightSet(path: folder.file(name)) }
    }
    let bytes = Array(content.utf8)
    #expect(ForeignContent.described(bytes)?.contains("hello") != true, "no word of a file that others may not read")
  }

  /// The lengths of their headers are the first bytes of gzip and of JPEG.
  @Test(arguments: [0x8B1F, 0xFF_D8FF]) func aLengthIsNoMagicNumber(length: Int) throws {
    let json = #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#
    let header = Array(json.utf8) + [UInt8](repeating: 0x20, count: length - json.utf8.count)
    let prefix = withUnsafeBytes(of: UInt64(length).littleEndian) { Array($0) }
    try folder.write(prefix + header + [0, 0, 0, 0], "x.safetensors")
    #expect(try WeightSet(path: folder.file("x.safetensors"))["a"] != nil)
  }

  @Test func bytesOfNoKnownKindAreNoSafetensors() throws {
    let bytes = [UInt8](0...255)
    try folder.write(bytes, "x.ckpt")
    try failure(.badFile, "neither safetensors nor a file of torch or GGUF") {
      _ = try WeightSet(path: folder.file("x.ckpt"))
    }
    try folder.write(bytes, "x.safetensors")
    try failure(.badFile, "the safetensors file is damaged") { _ = try WeightSet(path: folder.file("x.safetensors")) }
  }

  @Test func similarNamesAreTheNearest() {
    let names = ["emoji-64", "emoji-65", "sd15", "sd21", "lcm", "sd-1.5"]
    #expect(similarNames(to: "emoji64", among: names) == ["emoji-64", "emoji-65"])
    #expect(similarNames(to: "Emoji", among: names) == ["emoji-64", "emoji-65"])
    #expect(similarNames(to: "sd1.5", among: names) == ["sd-1.5", "sd15"])
    #expect(similarNames(to: "flux", among: names).isEmpty && similarNames(to: "", among: names).isEmpty)
    #expect(similarNames(to: "nowhere.safetensors", among: ["lora.safetensors", "word.safetensors"]).isEmpty)
    #expect(similarNames(to: String(repeating: "a", count: 10_000), among: names).isEmpty)
  }

  @Test func limitsTheFileSize() throws {
    try folder.write([1, 2, 3], "a")
    #expect(try readFile(path: folder.file("a"), limit: 3) == [1, 2, 3])
    try failure(.badFile, "'\(folder.file("a"))'") { _ = try readFile(path: folder.file("a"), limit: 2) }
    #expect(throws: InversionError.self) { try readFile(path: "/dev/zero") }
  }
}
