import Errors
import Formats
import Foundation
import Testing

struct TorchSample: Decodable, Sendable, CustomTestStringConvertible {
  struct Tensor: Decodable {
    let path: [String]
    let dtype: String
    let shape: [Int]
    let sha256: String
  }
  struct Scalar: Decodable {
    let path: [String]
    /// As JSON.
    let value: String
  }
  let file: String
  let verdict: String
  let expect: String?
  let sha256: String
  let tensors: [Tensor]
  let scalars: [Scalar]

  var testDescription: String { file }

  static let all: [TorchSample] = {
    do {
      return try JSONDecoder().decode([Self].self, from: Data(sampleBytes("torch.json")))
    } catch {
      preconditionFailure("torch.json: \(error)")
    }
  }()

  static let good = all.filter { $0.verdict.hasPrefix("ok") }
  static let bad = all.filter { $0.verdict.hasPrefix("refuse") }
}

@Suite struct TorchSampleTests {
  @Test func samplesAreThere() {
    #expect(TorchSample.all.count == 104 && TorchSample.good.count == 36 && TorchSample.bad.count == 66)
  }

  private func follow(_ path: [String], from root: TorchValue) throws -> TorchValue {
    try path.reduce(root) { value, step in
      if step.hasPrefix("#") { return try #require(Int(step.dropFirst()).flatMap { value[$0] }, "no element \(step)") }
      return try #require(value[step], "no '\(step)'")
    }
  }

  private func json(_ value: TorchValue) -> String {
    switch value {
    case .none, .opaque: "null"
    case .bool(let value): "\(value)"
    case .int(let value): "\(value)"
    case .float(let value): "\(value)"
    case .string(let value): "\"\(value)\""
    default: "container"
    }
  }

  @Test(arguments: TorchSample.good)
  func readsValidFile(_ sample: TorchSample) throws {
    let path = try samplePath(sample.file)
    #expect(try sha256Hex(ofFile: path) == sample.sha256)
    let file = try TorchFile(path: path)
    for expected in sample.tensors {
      guard case .tensor(let tensor) = try follow(expected.path, from: file.root) else {
        Issue.record("\(expected.path) is no tensor")
        continue
      }
      #expect(SafetensorsType(tensor.dtype).rawValue == expected.dtype)
      #expect(tensor.shape == expected.shape)
      #expect(sha256Hex(of: try file.bytes(of: tensor)) == expected.sha256, "\(expected.path)")
    }
    // A value behind numpy's own types is carried as opaque.
    for scalar in sample.scalars where !sample.verdict.contains("skip-unknown") || scalar.path != ["callbacks", "x"] {
      #expect(json(try follow(scalar.path, from: file.root)) == scalar.value, "\(scalar.path)")
    }
  }

  /// A part of our message for each kind of reason in the manifest; several where the manifest leaves a choice.
  private static let reasons: [String: [String]] = [
    "trailing-bytes-after-STOP": ["after the pickle's STOP"], "build-target-not-allowed": ["BUILD of a target"],
    "crc-mismatch": ["checksum mismatch"], "too-deep": ["nested deeper"], "empty-file": ["empty file"],
    "opcode-not-allowed": ["opcode"], "not-a-torch-file": ["not a torch file"], "bad-magic": ["bad magic number"],
    "bad-protocol-version": ["bad protocol version"], "global-not-allowed": ["which is not allowed"],
    "storage-size-mismatch": ["elements"], "truncated": ["truncated"],
    "unknown-storage-key": ["no tensor has"], "too-large-or-ignore": ["too large"],
    "malformed-pickle": ["malformed pickle"],
    "opcode-or-global-not-allowed": ["not allowed"], "out-of-bounds-view": ["reaches out of"],
    "bad-persistent-id": ["bad persistent id"], "unsupported-dtype, or global-not-allowed": ["which is not allowed"],
    "too-large": ["too large"], "overflow": ["overflows"],
    "opcode-not-allowed, or global-not-allowed": ["not allowed"], "missing-storage": ["is missing"],
    "bad-stride": ["negative stride"], "bad-member-name": ["bad zip member name", "TorchScript"],
    "torchscript": ["TorchScript"], "duplicate-member": ["twice"], "unsupported-zip": ["encrypted"],
    "overlap-or-name-mismatch": ["another name", "overlaps"], "ambiguous-archive": ["single folder"],
  ]

  /// Opens the file and reads all of its tensors.
  private func readAll(_ path: String) throws {
    let file = try TorchFile(path: path)
    for tensor in file.stateDictionary.values { _ = try file.bytes(of: tensor) }
  }

  @Test(arguments: TorchSample.bad)
  func refusesBadFile(_ sample: TorchSample) throws {
    let path = try samplePath(sample.file)
    let error = try #require(throws: InversionError.self) { try readAll(path) }
    #expect(error.code == .badFile)
    #expect(error.message.hasPrefix("'\(path)': "))
    let parts = try #require(sample.expect.flatMap { Self.reasons[$0] }, "\(sample.expect ?? "")")
    #expect(parts.contains { error.message.contains($0) }, "\(sample.expect ?? ""): \(error.message)")
  }

  @Test(arguments: TorchSample.all.filter { $0.verdict == "optional" })
  func optionalFilesAreReadOrRefused(_ sample: TorchSample) throws {
    do {
      try readAll(samplePath(sample.file))
    } catch let error as InversionError {
      #expect(error.code == .badFile)
    }
  }
}
