import Errors
import Models
import Schedules
import Testing

@testable import Training

@Suite struct CaptionTests {
  private let model: DiffusionModel

  init() throws { model = try GoldenTraining.model("sd1-tiny") }

  private func caption(_ text: String, token: String? = "<spot>") throws -> PictureCaption {
    try PictureCaption(text: Array(text.utf8), path: "c.txt", token: token)
  }

  @Test func linesWithAGapAreTemplatesOthersWords() throws {
    let shared = PromptTemplates.object
    #expect(try caption("a {} on a hill\nmy [name]").templates == ["a {} on a hill", "my {}"])
    #expect(try caption("a photo of <spot>, asleep").templates == ["a photo of {}, asleep"])
    let tags = try caption("red, small\nasleep\n# no tag")
    #expect(tags.words == "red, small, asleep" && tags.texts(shared) == ["{}, [filewords]"])
    let named = PictureCaption(fileName: "003-red_hat.png")
    #expect(named.words == "red hat" && named.texts(shared) == shared.texts, "a name alone adds nothing")
    let asked = try PromptTemplates(name: "t", text: Array("[name] with [filewords]".utf8), path: "t")
    #expect(
      asked.texts == ["{} with [filewords]"] && named.texts(asked) == asked.texts && tags.texts(asked) == asked.texts)
  }

  @Test(arguments: [("{} and {}", "line 1"), ("a red hat\n{} [name]", "line 2"), ("\n#\n", "no caption")])
  func errorsNameTheLine(text: String, reason: String) {
    let error = #expect(throws: InversionError.self) { try caption(text) }
    #expect(
      error?.code == .badFile && error?.message.contains(reason) == true && error?.message.contains("c.txt") == true)
  }

  @Test func tagsAreShuffledAndLeftOutButTheRestStays() throws {
    let text = Caption("a {}, [filewords]", words: "red, cat , dog,photo", model: model)
    let word = [9999]
    let whole = try text.ids(word: word, model: model)
    let plain = try model.captionIDs(of: "a {}, red, cat, dog, photo", word: word)
    #expect(whole == plain)
    var noise = PhiloxNoise(seed: 3)
    var settings = CaptionSettings()
    #expect(text.ids(word: word, model: model, settings, noise: &noise) == whole && noise.offset == 0)
    settings.shufflesTags = true
    let shuffled = (0..<20).map { _ in text.ids(word: word, model: model, settings, noise: &noise) }
    #expect(
      Set(shuffled).count > 5
        && shuffled.allSatisfy { $0.sorted() == whole.sorted() && $0.prefix(4) == whole.prefix(4) })
    settings = CaptionSettings()
    settings.tagDropOut = 0.5
    let cat = try model.initializerID("cat")
    let thinned = (0..<200).map { _ in text.ids(word: word, model: model, settings, noise: &noise) }
    let kept = thinned.count { $0.contains(cat) }
    #expect((60...140).contains(kept), "\(kept) of 200")
    #expect(thinned.allSatisfy { $0.count == whole.count && $0.contains(9999) })
    settings.tagDropOut = 1
    #expect(
      text.ids(word: word, model: model, settings, noise: &noise) == (try model.captionIDs(of: "a {},", word: word)))
  }
}
