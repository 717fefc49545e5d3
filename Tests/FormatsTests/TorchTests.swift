import Errors
import Tensors
import TestSupport
import Testing

@testable import Formats

@Suite struct TorchTests {
  private func read(_ bytes: [UInt8]) throws {
    let file = try TorchFile(bytes: bytes, path: "x.pt")
    for tensor in file.stateDictionary.values { _ = try file.bytes(of: tensor) }
  }

  @Test(arguments: ["torch/handmade_ok.pt", "torch/views_shared_storage.zip.pt", "torch/bare_tensor_2x8.legacy.pt"])
  func everyTruncationIsRefused(_ name: String) throws {
    let whole = try sampleBytes(name)
    try read(whole)
    for length in stride(from: 0, to: whole.count, by: whole.count > 1000 ? 5 : 1) {
      #expect(throws: InversionError.self, "\(name) cut to \(length)") { try read(Array(whole[..<length])) }
    }
  }

  @Test func mutantsNeverCrash() throws {
    var generator = SeededGenerator(state: 3)
    var accepted = 0
    let names = [
      "handmade_ok.pt", "views_shared_storage.legacy.pt", "deflated.pt", "ordered_nested.zip.ckpt",
      "parameter_plain.legacy.pt", "ldm_parameterdict_torch111.pt",
    ]
    for name in names {
      let whole = try sampleBytes("torch/\(name)")
      for _ in 0..<500 {
        do {
          try read(generator.mutate(whole))
          accepted += 1
        } catch let error as InversionError {
          #expect(error.code == .badFile)
        }
      }
    }
    #expect(accepted > 20, "the mutants are too wild to test anything: \(accepted) accepted")
  }

  /// The pickle alone, without the checksum of a zip that would catch most mutants first.
  @Test func pickleMutantsNeverCrash() throws {
    let bytes = try sampleBytes("torch/ordered_nested.zip.ckpt")
    let pickle = try bytes.withUnsafeBytes { bytes in
      let archive = try ZipArchive(bytes)
      let member = try #require(archive.members.values.first { $0.name.hasSuffix("/data.pkl") })
      return try archive.content(of: member, inflatedLimit: 1 << 20)
    }
    var generator = SeededGenerator(state: 4)
    var accepted = 0
    for _ in 0..<20_000 {
      let mutant = generator.mutate(pickle)
      accepted += mutant.withUnsafeBytes { mutant in
        var reader = ByteReader(mutant)
        var machine = PickleMachine(allowsModules: true)
        guard let value = try? machine.run(&reader) else { return 0 }
        return (try? TorchValue(value, of: machine)) == nil ? 0 : 1
      }
    }
    #expect(accepted > 500, "the mutants are too wild to test anything: \(accepted) accepted")
  }

  @Test func stateDictionaries() throws {
    let nested = try TorchFile(path: samplePath("torch/ordered_nested.zip.ckpt"))
    #expect(nested.stateDictionary.keys.sorted() == ["a.bias", "a.weight", "n.num_batches_tracked"])
    let flat = try TorchFile(path: samplePath("torch/sdxl_clip_l_clip_g_2v.zip.pt"))
    #expect(flat.stateDictionary["clip_g"]?.shape == [2, 1280] && flat.stateDictionary.count == 2)
    #expect(try TorchFile(path: samplePath("torch/bare_tensor_2x8.legacy.pt")).stateDictionary.isEmpty)
  }

  @Test func viewsAreChecked() throws {
    let storage = TorchStorage(key: "0", dtype: .f32, count: 8)
    func view(_ offset: Int, _ shape: [Int], _ strides: [Int]) throws -> TorchTensor {
      try TorchTensor(storage, dtype: .f32, offset: offset, shape: shape, strides: strides)
    }
    #expect(try view(0, [2, 4], [4, 1]).isContiguous && view(3, [], []).elementCount == 1)
    #expect(try view(8, [0, 5], [5, 1]).elementCount == 0)
    #expect(try !view(0, [4, 2], [1, 4]).isContiguous && view(0, [1, 8], [99, 1]).isContiguous)
    let refused: [(Int, [Int], [Int])] = [
      (0, [9], [1]), (1, [8], [1]), (9, [0], [1]), (-1, [1], [1]), (0, [-1], [1]), (0, [2], [-1]), (0, [2], []),
      (0, [2, 2], [1, .max]), (.max, [2], [1]), (0, [1 << 40], [0]), (0, [.max, 2], [0, 0]), (8, [], []),
    ]
    for (offset, shape, strides) in refused {
      #expect(throws: FormatFault.self, "\(offset) \(shape) \(strides)") { try view(offset, shape, strides) }
    }
    let bytes = (0..<8).map { UInt8($0) }
    let small = try TorchTensor(
      TorchStorage(key: "0", dtype: .u8, count: 8), dtype: .u8, offset: 1, shape: [3, 2], strides: [1, 3])
    #expect(bytes.withUnsafeBytes { small.gather(from: $0) } == [1, 4, 2, 5, 3, 6])
  }
}
