import Testing
import Tokenizer

@Suite struct CLIPTokenizerTests {
  private let clip = CLIPTokenizer.clip

  @Test func equalsTransformersOnEveryCase() throws {
    let cases = try TokenCase.load("clip-cases.json")
    #expect(cases.count == 607)
    for item in cases { #expect(clip.encode(item.text) == item.ids, "\(item.text.debugDescription)") }
  }

  @Test func hasCLIPsIDs() {
    #expect(clip.vocabularySize == 49408)
    #expect(clip.bos == 49406 && clip.eos == 49407 && clip.pad == 49407 && clip.maxLength == 77)
    let known: [String: Int32] = [
      "!": 0, "Ń": 255, "!</w>": 256, "Ń</w>": 511, "in": 512, "a</w>": 320, "cat</w>": 2368,
      "<|startoftext|>": 49406, "<|endoftext|>": 49407,
    ]
    for (token, id) in known {
      #expect(clip.id(ofToken: token) == id, "\(token)")
      #expect(clip.token(id) == token)
    }
    #expect(clip.id(ofToken: "cat toy") == nil)
    #expect(clip.token(49408) == nil && clip.token(-1) == nil)
  }

  @Test func everyTokenHasOneID() {
    for id in 0..<Int32(clip.vocabularySize) {
      #expect(clip.token(id).flatMap(clip.id(ofToken:)) == id)
    }
  }

  /// FNV-1a of the tokens of SD 1.5's vocab.json in the order of their ids, a line feed behind each.
  @Test func equalsTheVocabularyFile() {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for id in 0..<Int32(clip.vocabularySize) {
      for byte in Array((clip.token(id) ?? "").utf8) + [0x0A] { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    }
    #expect(hash == 0x6C88_2F97_E43A_4257)
  }

  @Test func decodes() {
    #expect(clip.decode(clip.encode("A photo of a CAT, 日本 😀!")) == "a photo of a cat , 日本 😀!")
    #expect(clip.decode([49406, 320, 2368, 49407, 49407, 99999, -5]) == "a cat")
    #expect(clip.decode([]) == "")
  }

  @Test func decodingAndEncodingAgain() throws {
    for item in try TokenCase.load("clip-cases.json") where !item.text.contains("\u{FFFD}") {
      let ids = clip.encode(item.text).filter { $0 < clip.bos }
      let text = clip.decode(ids)
      #expect(clip.decode(clip.encode(text)) == text, "\(item.text.debugDescription)")
    }
  }

  /// Quadratic merging would take minutes here.
  @Test(.timeLimit(.minutes(15))) func longWordsAreNotSlow() {
    let text = String(repeating: "ab", count: 20_000)
    #expect(clip.decode(clip.encode(text)) == text)
  }

  @Test func isUsableFromManyTasks() async {
    let expected = clip.encode("a photo of a cat")
    await withTaskGroup(of: Bool.self) { group in
      for _ in 0..<8 { group.addTask { CLIPTokenizer.clip.encode("a photo of a cat") == expected } }
      for await equal in group { #expect(equal) }
    }
  }
}
