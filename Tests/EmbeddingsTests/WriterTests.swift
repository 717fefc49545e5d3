import Embeddings
import Errors
import Formats
import Foundation
import Images
import Testing

/// What is written reads back bit for bit, in every format. `make interop` shows the same files to the real libraries.
@Suite struct WriterTests {
  /// Values that lose bits on the way through any shorter text or type: subnormal, negative zero, the largest.
  private static let values: [Float] = [
    0.1, -0.0, .leastNonzeroMagnitude, .leastNormalMagnitude, -1.0 / 3, 8191.9995, Float(bitPattern: 0x12345),
    0.3333333,
  ]
  private let embedding = LearnedEmbedding(
    name: "<my-cat>", vectors: Self.values, width: 4, sha256: "", metadata: ["sd_checkpoint": "81761151", "step": "12"])

  @Test(arguments: EmbeddingFormat.allCases)
  func roundTripIsExact(format: EmbeddingFormat) throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/cat.\(format.container.extensions[0])"
    try EmbeddingFile.write(embedding, to: path, as: format)
    let read = try EmbeddingFile.read(path)
    #expect(read.vectors.map(\.bitPattern) == Self.values.map(\.bitPattern))
    #expect(read.count == 2 && read.width == 4)
    switch format {
    case .diffusers, .card: #expect(read.name == "<my-cat>")
    case .a1111: #expect(read.name == "cat" && read.otherName == "<my-cat>")
    case .kohya: #expect(read.name == "cat" && read.metadata["modelspec.title"] == "<my-cat>")
    }
    #expect(read.metadata["sd_checkpoint"] == "81761151" && read.metadata["step"] == "12")
  }

  @Test func everyFormatFromEveryOther() throws {
    let folder = try TemporaryFolder()
    for from in EmbeddingFormat.allCases {
      let source = "\(folder.path)/a.\(from.container.extensions[0])"
      try EmbeddingFile.write(embedding, to: source, as: from)
      let read = try EmbeddingFile.read(source)
      for to in EmbeddingFormat.allCases {
        let target = "\(folder.path)/b.\(to.container.extensions[0])"
        try EmbeddingFile.write(read, to: target, as: to)
        #expect(try EmbeddingFile.read(target).vectors.map(\.bitPattern) == Self.values.map(\.bitPattern))
      }
    }
  }

  @Test func aCardHidesTheSameInItsPixels() throws {
    let folder = try TemporaryFolder()
    try EmbeddingFile.write(embedding, to: folder.path + "/card.png", as: .card)
    // Saved again by a tool that drops text: only the pixels are left.
    let picture = try DecodedPicture(path: folder.path + "/card.png").picture
    for format in [PictureFormat.png, .webp] {
      try picture.encoded(as: format).withUnsafeBytes { bytes in
        try Data(bytes).write(to: URL(filePath: folder.path + "/again.png"))
      }
      let read = try EmbeddingFile.read(folder.path + "/again.png")
      #expect(read.origin?.layout == .hiddenCard && read.name == "<my-cat>")
      #expect(read.vectors.map(\.bitPattern) == Self.values.map(\.bitPattern))
    }
  }

  @Test func vectorsOfEveryLayerFitKohyaOnly() throws {
    let folder = try TemporaryFolder()
    let perLayer = try EmbeddingFile.read(ReaderSample.path("xti_16_layers.safetensors"))
    for format in EmbeddingFormat.allCases {
      let path = "\(folder.path)/x.\(format.container.extensions[0])"
      guard format == .kohya else {
        let error = #expect(throws: InversionError.self) { try EmbeddingFile.write(perLayer, to: path, as: format) }
        #expect(error?.code == .badEmbedding)
        continue
      }
      try EmbeddingFile.write(perLayer, to: path, as: format)
      let read = try EmbeddingFile.read(path)
      #expect(read.vectors == perLayer.vectors && read.layers == 16)
    }
  }

  @Test func equalContentGivesEqualBytes() throws {
    let folder = try TemporaryFolder()
    for format in EmbeddingFormat.allCases {
      let files = ["a", "b"].map { "\(folder.path)/\($0).\(format.container.extensions[0])" }
      for file in files { try EmbeddingFile.write(embedding, to: file, as: format) }
      #expect(try Data(contentsOf: URL(filePath: files[0])) == Data(contentsOf: URL(filePath: files[1])))
    }
  }
}
