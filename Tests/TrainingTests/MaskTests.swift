import Errors
import Foundation
import Images
import Models
import Testing

@testable import Training

/// Masks of pictures: their own transparency, or a file beside them.
@Suite struct MaskTests {
  /// 4x4, the left half opaque, the right half transparent.
  private static let halfTransparent = """
    iVBORw0KGgoAAAANSUhEUgAAAAQAAAAECAYAAACp8Z5+AAAAFElEQVR42mM4kWL0H4oZQJiBdAEAH2wd2TKO+AIAAAAASUVORK5CYII=
    """

  /// What reading a folder gives, with `prepare` having filled it.
  private func read(_ prepare: (String) throws -> Void) throws -> [ConceptPicture] {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("masks-\(UUID())").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try prepare(folder)
    var reader = ConceptPictures(side: 16)
    reader.isMasked = true
    return try reader.read(folder: folder)
  }

  private func write(_ picture: Picture, _ path: String) throws {
    try Data(try picture.encoded(as: .png)).write(to: URL(fileURLWithPath: path))
  }

  private func transparent(_ path: String) throws {
    try #require(Data(base64Encoded: Self.halfTransparent)).write(to: URL(fileURLWithPath: path))
  }

  private func grey(_ side: Int, _ value: (Int) -> UInt8) -> Picture {
    Picture(width: side, height: side, pixels: (0..<side * side).flatMap { Array(repeating: value($0), count: 3) })
  }

  @Test func transparencyIsAMask() throws {
    let view = try read { try transparent("\($0)/a.png") }[0].views[0]
    let mask = try #require(view.mask)
    #expect(mask.width == 16 && mask.pixels[0] > 240 && mask.pixels[15 * 3] < 15)
    let model = try GoldenTraining.model("sd1-tiny")
    let weights = try #require(PictureLatents(view, model: model, memory: WorkingMemory()).mask)
    let average = weights.reduce(0, +) / Float(weights.count)
    #expect(abs(average - 1) < 1e-5, "of mean 1")
    #expect(weights[0] > 1.5 && (weights.last ?? 1) < 0.5)
  }

  @Test func aMaskFileCountsBeforeTransparencyAndIsNoPicture() throws {
    let pictures = try read { folder in
      try transparent("\(folder)/a.png")
      try write(grey(4) { $0 % 4 < 2 ? 0 : 255 }, "\(folder)/a.mask.png")
    }
    let mask = try #require(pictures[0].views[0].mask)
    #expect(pictures.count == 1 && mask.pixels[0] < 15 && mask.pixels[15 * 3] > 240)
  }

  @Test(arguments: [
    ("none", "neither transparent parts nor a mask"), ("other size", "5x5 pixels, the picture has 4x4"),
    ("black", "shows nothing"),
  ])
  func masksThatCannotBe(kind: String, reason: String) {
    let error = #expect(throws: InversionError.self) {
      try read { folder in
        try write(grey(4) { UInt8($0) }, "\(folder)/a.png")
        if kind == "other size" { try write(grey(5) { _ in 255 }, "\(folder)/a.mask.png") }
        if kind == "black" { try write(grey(4) { _ in 0 }, "\(folder)/a.mask.png") }
      }
    }
    #expect(error?.code == .badPicture && error?.message.contains(reason) == true, "\(error?.message ?? "")")
  }
}
