import Formats
import Foundation
import Kernels
import Ops
import Testing

@testable import Models

/// A tiny model and what PyTorch computes with it: see Tools/golden/README.md.
struct Golden {
  static let models = ["sd1-tiny", "sd2-tiny", "distilled-tiny"]

  let folder: DiffusersFolder
  private let tensors: SafetensorsFile

  init(_ model: String, file: String = "golden.safetensors") throws {
    let root = try #require(Bundle.module.resourcePath) + "/Golden/\(model)"
    folder = try DiffusersFolder(path: root)
    tensors = try SafetensorsFile(path: "\(root)/\(file)")
  }

  var names: [String] { tensors.tensors.keys.sorted() }

  func has(_ name: String) -> Bool { tensors.tensors[name] != nil }

  func shape(_ name: String) throws -> [Int] { try tensors.entry(name).shape }

  func floats(_ name: String) throws -> [Float] { try elements(name, Float.self) }

  func doubles(_ name: String) throws -> [Double] { try elements(name, Double.self) }

  func integers(_ name: String) throws -> [Int] { try elements(name, Int64.self).map(Int.init) }

  private func elements<Element: BitwiseCopyable>(_ name: String, _ type: Element.Type) throws -> [Element] {
    let bytes = tensors.bytes(of: try tensors.entry(name))
    return (0..<bytes.count / MemoryLayout<Element>.size).map {
      bytes.loadUnaligned(fromByteOffset: $0 * MemoryLayout<Element>.size, as: type)
    }
  }

  /// A tensor as the engine's rows: (B, C, H, W) becomes (B, H, W, C), all else stays.
  func rows(_ name: String) throws -> [Float] {
    let shape = try shape(name)
    let values = try floats(name)
    return shape.count == 4 ? rowsFromPlanes(values, shape[0], shape[1], shape[2], shape[3]) : values
  }

  /// A picture or latents as an activation.
  func picture(_ name: String, on tape: Tape) throws -> Activation {
    let shape = try shape(name)
    return tape.constant([shape[0], shape[2], shape[3], shape[1]], try rows(name))
  }

  /// Token ids, one list a prompt.
  func ids(_ name: String) throws -> [[Int]] {
    let width = try shape(name)[1]
    let flat = try integers(name)
    return stride(from: 0, to: flat.count, by: width).map { Array(flat[$0..<$0 + width]) }
  }
}

/// |a - b| / |b| over all elements.
func relativeError(_ a: [Float], _ b: [Float]) -> Double {
  guard a.count == b.count else { return .infinity }
  let difference = zip(a, b).reduce(0.0) { $0 + pow(Double($1.0) - Double($1.1), 2) }
  return (difference / max(1e-30, b.reduce(0.0) { $0 + Double($1) * Double($1) })).squareRoot()
}

/// Compares every named part of a network with PyTorch's, in the order of the forward pass, and names the first that
/// is off.
final class LayerComparison {
  private let golden: Golden
  private let network: String
  private(set) var compared: Set<String> = []
  private var firstWrong: String?

  init(_ golden: Golden, _ network: String) {
    self.golden = golden
    self.network = network
  }

  func attach(to tape: Tape) {
    tape.observer = { [self] path, output in
      let name = "\(network).\(path)"
      guard golden.has(name), let expected = try? golden.rows(name) else { return }
      compare(name, output.floats, expected)
    }
  }

  func compare(_ name: String, _ actual: [Float], _ expected: [Float]) {
    compared.insert(name)
    let error = relativeError(actual, expected)
    if error > 1e-4, firstWrong == nil { firstWrong = "\(name): relative error \(error)" }
  }

  /// Every part was right, and none of the golden parts was missed, but for those that `fused` names.
  func expectAllRight(fused: [String]) {
    #expect(firstWrong == nil)
    let missed = golden.names.filter { name in
      name.hasPrefix("\(network).") && !name.contains(".in.") && !name.contains(".out") && !compared.contains(name)
        && !fused.contains { name.hasSuffix($0) }
    }
    #expect(missed.isEmpty)
  }
}
