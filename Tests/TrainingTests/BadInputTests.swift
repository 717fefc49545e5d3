import Errors
import Foundation
import Images
import Models
import Testing

@testable import Training

@Suite("What cannot be is refused with its reason")
struct BadInputTests {
  private static let model = try? GoldenTraining.model("distilled-tiny")

  private func refusal(_ change: (inout TrainingSettings) -> Void) throws -> InversionError? {
    let model = try #require(Self.model)
    var settings = TrainingSettings(token: "<spot>", initializer: "cat")
    change(&settings)
    return #expect(throws: InversionError.self) {
      _ = try Trainer(model: model, pictures: [TestPicture.concept()], settings: settings)
    }
  }

  @Test(arguments: [
    ("an initializer of several tokens", "'zebra'"), ("an empty initializer", "is empty"),
    ("a token of the vocabulary", "'cat' is in the vocabulary"), ("a token of two words", "'my cat'"),
    ("no steps", "'0' steps"), ("no batch", "batch of '0'"), ("too large a batch", "batch of '65'"),
    ("no vectors", "'0' vectors"), ("76 vectors", "'76' vectors"), ("a negative rate", "'-0.1'"),
    ("a timestep too many", "'500-1000'"), ("no accumulation", "'0' accumulated"),
  ])
  func settings(name: String, reason: String) throws {
    let error = try refusal { settings in
      switch name {
      case "an initializer of several tokens": settings.initializer = "zebra"
      case "an empty initializer": settings.initializer = " "
      case "a token of the vocabulary": settings.token = "cat"
      case "a token of two words": settings.token = "my cat"
      case "no steps": settings.steps = 0
      case "no batch": settings.batch = 0
      case "too large a batch": settings.batch = 65
      case "no vectors": settings.vectors = 0
      case "76 vectors": settings.vectors = 76
      case "a negative rate": settings.learningRate = -0.1
      case "a timestep too many": settings.timesteps = .range(500...1000)
      default: settings.accumulate = 0
      }
    }
    #expect(error?.code == .invalidArgument)
    #expect(error?.message.contains(reason) == true, "\(error?.message ?? "")")
  }

  @Test func moreVectorsThanTheTextEncoderReads() throws {
    // 32 positions: 16 vectors and fifteen words have no room.
    let text = "{}" + String(repeating: " cat", count: 15)
    let templates = try PromptTemplates(name: "t", text: Array(text.utf8), path: "t")
    #expect(
      try refusal {
        $0.vectors = 16
        $0.templates = templates
      }?.code == .promptTooLong)
  }

  @Test(arguments: ["", "500", "900-500", "a-b", "500-", "-5-10", "1-2-3"])
  func windows(text: String) { #expect(TimestepWindow(text) == nil) }

  @Test func windowsAreRead() {
    #expect(TimestepWindow("uniform") == .uniform)
    #expect(TimestepWindow("500-900") == .noisy)
    #expect(TimestepWindow.noisy.description == "500-900")
    #expect(TimestepWindow.noisy.range(trainTimesteps: 1000) == 500..<901)
  }

  @Test func templates() throws {
    #expect(PromptTemplates.object.texts.count == 27 && Set(PromptTemplates.object.texts).count == 27)
    #expect(PromptTemplates.style.texts.count == 19)
    #expect((PromptTemplates.object.texts + PromptTemplates.style.texts).allSatisfy { $0.pieces.count == 2 })
    let text = "# mine\r\na {} in snow\r\n\r\n{}, close-up\n"
    let read = try PromptTemplates(name: "mine.txt", text: Array(text.utf8), path: "mine.txt")
    #expect(read.texts == ["a {} in snow", "{}, close-up"])
    #expect(read.texts.map(\.pieces) == [["a ", " in snow"], ["", ", close-up"]])
  }

  @Test(arguments: [
    ("a cat", "line 1"), ("a {}\na {} and a {}", "line 2"), ("\n# nothing\n", "no template"),
  ])
  func badTemplates(text: String, reason: String) {
    let error = #expect(throws: InversionError.self) {
      try PromptTemplates(name: "t", text: Array(text.utf8), path: "t.txt")
    }
    #expect(error?.code == .badFile && error?.message.contains("'t.txt'") == true)
    #expect(error?.message.contains(reason) == true)
  }
}

@Suite struct ConceptPicturesTests {
  /// A folder that is gone after the test.
  private func withFolder(_ body: (String) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("concept-\(UUID())").path
    try FileManager.default.createDirectory(atPath: "\(folder)/held-out", withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try body(folder)
  }

  private func write(_ picture: Picture, _ path: String) throws {
    try Data(try picture.encoded(as: .png)).write(to: URL(fileURLWithPath: path))
  }

  @Test func picturesAreCutToSquaresInTheOrderOfTheirNames() throws {
    try withFolder { folder in
      var wide = Picture(width: 40, height: 20, pixels: Array(repeating: 0, count: 40 * 20 * 3))
      for y in 0..<20 { for x in 10..<30 { wide.pixels[(y * 40 + x) * 3] = 200 } }
      try write(wide, "\(folder)/b.png")
      try write(TestPicture.picture(side: 32), "\(folder)/a.PNG")
      try write(TestPicture.picture(), "\(folder)/held-out/c.png")
      try Data("a red {}\n".utf8).write(to: URL(fileURLWithPath: "\(folder)/b.txt"))
      try Data("CC0\n".utf8).write(to: URL(fileURLWithPath: "\(folder)/LICENSE"))
      let pictures = try ConceptPictures.read(folder: folder, size: 16)
      #expect(pictures.map(\.path) == ["\(folder)/a.PNG", "\(folder)/b.png"])
      #expect(pictures.allSatisfy { $0.picture.width == 16 && $0.picture.height == 16 })
      #expect(pictures[1].picture.pixels.prefix(3) == [200, 0, 0], "the middle of a wide picture is kept")
      #expect(pictures.map(\.caption.templates) == [[], ["a red {}"]])
      #expect(pictures[0].sha256.count == 64 && pictures[0].sha256 != pictures[1].sha256)
    }
  }

  @Test func errorsNameTheFile() throws {
    try withFolder { folder in
      func error() -> InversionError? {
        #expect(throws: InversionError.self) { try ConceptPictures.read(folder: folder, size: 16) }
      }
      #expect(error()?.code == .fileUnavailable)
      try Data("no picture".utf8).write(to: URL(fileURLWithPath: "\(folder)/a.png"))
      let bad = error()
      #expect(bad?.code == .badPicture && bad?.message.contains("\(folder)/a.png") == true)
    }
    let missing = #expect(throws: InversionError.self) {
      try ConceptPictures.read(folder: "/nowhere/at-all", size: 16)
    }
    #expect(missing?.code == .fileUnavailable && missing?.message.contains("'/nowhere/at-all'") == true)
  }
}
