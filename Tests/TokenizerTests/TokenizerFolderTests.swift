import Errors
import Testing
import Tokenizer

@Suite struct TokenizerFolderTests {
  private func tokenizer(_ files: String...) throws -> CLIPTokenizer {
    let folder = try TinyFolder()
    for file in files { try folder.write(String(contentsOf: goldenURL("tiny/\(file)"), encoding: .utf8), file) }
    return try CLIPTokenizer(folder: folder.path)
  }

  private func check(_ tokenizer: CLIPTokenizer) throws {
    for item in try TokenCase.load("tiny-cases.json") {
      #expect(tokenizer.encode(item.text) == item.ids, "\(item.text.debugDescription)")
    }
    #expect(tokenizer.vocabularySize == 576 && tokenizer.id(ofToken: "<my-cat>") == 575)
    #expect(tokenizer.bos == 0 && tokenizer.eos == 1 && tokenizer.pad == 2 && tokenizer.maxLength == 32)
  }

  @Test func readsVocabularyAndMerges() throws {
    try check(tokenizer("vocab.json", "merges.txt", "added_tokens.json", "tokenizer_config.json"))
  }

  @Test func readsTokenizerJSON() throws { try check(tokenizer("tokenizer.json", "tokenizer_config.json")) }

  @Test func aPadTokenIsNoLiteral() throws {
    let ids = try tokenizer("tokenizer.json", "tokenizer_config.json").encode("!!!")
    #expect(ids.count == 3 && !ids.contains(2))
  }

  @Test func defaultsWithoutAConfig() throws {
    let tiny = try tokenizer("vocab.json", "merges.txt")
    #expect(tiny.pad == tiny.eos && tiny.maxLength == 77 && tiny.vocabularySize == 575)
    #expect(tiny.id(ofToken: "<my-cat>") == nil)
  }

  @Test func theConfigOverridesTheMap() throws {
    let folder = try TinyFolder("vocab.json", "merges.txt")
    try folder.write(#"{"pad_token":{"content":"!!!","lstrip":false},"eos_token":null}"#, "special_tokens_map.json")
    #expect(try CLIPTokenizer(folder: folder.path).pad == 2)
    try folder.write(#"{"pad_token":"!","model_max_length":1000000000000000019884624838656}"#, "tokenizer_config.json")
    let both = try CLIPTokenizer(folder: folder.path)
    #expect(both.token(both.pad) == "!" && both.maxLength == 77)
  }

  @Test func namesMissingFiles() throws {
    let folder = try TinyFolder()
    try expectFailure(folder, .fileUnavailable, "vocab.json")
    let half = try TinyFolder("vocab.json")
    try expectFailure(half, .fileUnavailable, "merges.txt")
  }

  @Test(arguments: [
    ("vocab.json", "{", "invalid JSON"), ("vocab.json", #"{"a":0,"b":2}"#, "'b'"),
    ("vocab.json", #"{"a":0,"b":0}"#, "'b'"), ("vocab.json", #"{"a":0,"a":1}"#, "there already"),
    ("vocab.json", #"{"a":0.5}"#, "invalid JSON"), ("vocab.json", "{}", "merge 2"),
    ("merges.txt", "#version\ni n\nt\n", "merge 3 't'"), ("merges.txt", "zz zz\n", "merge 1 'zz zz'"),
    ("merges.txt", "i n n\n", "merge 1"), ("added_tokens.json", #"{"<x>":900}"#, "'<x>'"),
    ("tokenizer_config.json", #"{"bos_token":"<none>"}"#, "'<none>'"), ("tokenizer_config.json", "[]", "invalid JSON"),
  ])
  func namesWhatIsBroken(_ name: String, _ text: String, _ part: String) throws {
    let folder = try TinyFolder("vocab.json", "merges.txt")
    try folder.write(text, name)
    try expectFailure(folder, .badFile, part)
  }

  private func expectFailure(_ folder: TinyFolder, _ code: InversionError.Code, _ part: String) throws {
    let error = try #require(throws: InversionError.self) { try CLIPTokenizer(folder: folder.path) }
    #expect(error.code == code && error.message.contains("'\(folder.path)/"))
    #expect(error.message.contains(part), "\(error.message)")
  }
}
