import Embeddings
import Testing

@Suite struct PromptNamesTests {
  /// A table of one-vector embeddings; the value tells which one was found.
  private func table(_ names: [String], aliases: [String: String] = [:]) -> EmbeddingTable {
    var embeddings: [String: LearnedEmbedding] = [:]
    for (i, name) in names.enumerated() {
      embeddings[name] = LearnedEmbedding(name: name, vectors: [Float(i), 0], width: 2, sha256: "\(i)")
    }
    return EmbeddingTable(generation: 1, embeddings: embeddings, aliases: aliases)
  }

  /// The pieces as text, embeddings in braces.
  private func split(_ prompt: String, _ names: [String], aliases: [String: String] = [:]) -> String {
    PromptNames(table: table(names, aliases: aliases)).split(prompt).pieces.map { piece in
      switch piece {
      case .text(let text): text
      case .embedding(let embedding): "{\(embedding.name)}"
      }
    }.joined()
  }

  @Test(arguments: [
    ("a photo of <my-cat>", "a photo of {<my-cat>}"),
    ("a photo of my-cat, red", "a photo of {<my-cat>}, red"),
    ("a photo of embedding:my-cat.", "a photo of {<my-cat>}."),
    ("a photo of embedding:<my-cat>", "a photo of {<my-cat>}"),
    ("MY-CAT and <My-Cat>", "{<my-cat>} and {<my-cat>}"),
    ("(<my-cat>:1.3), [my-cat]", "({<my-cat>}:1.3), [{<my-cat>}]"),
    ("<my-cat>'s and my-cat's", "{<my-cat>}'s and {<my-cat>}'s"),
    ("<my-cat><my-cat>", "{<my-cat>}{<my-cat>}"),
    ("a<my-cat>b", "a{<my-cat>}b"),
    ("my-cat", "{<my-cat>}"),
    ("", ""),
  ]) func findsEverySpelling(prompt: String, expected: String) {
    #expect(split(prompt, ["<my-cat>"]) == expected)
  }

  @Test(arguments: [
    "category", "concat", "cat-toy", "tom-cat", "cat_toy", "_cat", "cat5", "кcat", "catß", "acat'",
  ]) func neverInsideAnotherWord(prompt: String) {
    #expect(split(prompt, ["cat"]) == prompt)
    #expect(split("a \(prompt), red", ["cat"]) == "a \(prompt), red")
  }

  @Test(arguments: ["sks", "risks", "asks", "desks"]) func shortNamesDoNotLeak(prompt: String) {
    #expect(split(prompt, ["sks"]) == (prompt == "sks" ? "{sks}" : prompt))
  }

  @Test func versionNumbersAreOneWord() {
    #expect(split("style-v1.5", ["style-v1"]) == "style-v1.5")
    #expect(split("style-v1. Red", ["style-v1"]) == "{style-v1}. Red")
    #expect(split("style-v1.5", ["style-v1", "style-v1.5"]) == "{style-v1.5}")
  }

  @Test func hyphensAtAnEndDoNotJoin() {
    #expect(split("a cat- and -cat", ["cat"]) == "a {cat}- and -{cat}")
  }

  @Test func longestFirst() {
    let names = ["cat", "cat-toy", "<cat-toy-2>", "big cat"]
    #expect(split("cat-toy", names) == "{cat-toy}")
    #expect(split("cat-toy-2", names) == "{<cat-toy-2>}")
    #expect(split("a big cat, cat", names) == "a {big cat}, {cat}")
    #expect(split("embedding:cat-toy", names) == "{cat-toy}")
  }

  @Test func ownNameGoesBeforeAnothersBareForm() {
    let names = ["<cat>", "cat"]
    #expect(split("cat <cat>", names) == "{cat} {<cat>}")
    #expect(split("embedding:cat embedding:<cat>", names) == "{cat} {<cat>}")
  }

  @Test func equalCaseDecidesBetweenNamesThatDifferOnlyInCase() {
    let names = ["Cat", "cat"]
    #expect(split("Cat cat", names) == "{Cat} {cat}")
  }

  @Test func fileStemsAreNamesToo() {
    #expect(split("a tabby on <tabby>", ["<my-cat>"], aliases: ["tabby": "<my-cat>"]) == "a {<my-cat>} on {<my-cat>}")
  }

  @Test func plainTextIsOnePiece() {
    let pieces = PromptNames(table: EmbeddingTable()).split("a  photo\nof é <3 a < b").pieces
    #expect(pieces == [.text("a  photo\nof é <3 a < b")])
  }

  @Test(arguments: [
    ("a <dog> and <dog>", ["<dog>"]),
    ("embedding:dog, (embedding:bad-dog.v2:1.2)", ["embedding:dog", "embedding:bad-dog.v2"]),
    ("embedding:dog.", ["embedding:dog"]),
    ("<lora:x:0.8> <a b> <3 < > <>", []),
    ("myembedding:dog embedding:", []),
    ("<my-cat> embedding:my-cat", []),
  ]) func namesThatAreNotLoaded(prompt: String, expected: [String]) {
    let split = PromptNames(table: table(["<my-cat>"])).split(prompt)
    #expect(split.missing == expected)
  }

  @Test func whatIsMissingStaysInTheText() {
    #expect(split("a <dog> of my-cat", ["<my-cat>"]) == "a <dog> of {<my-cat>}")
  }

  @Test func tableFindsByNameBareNameAndStem() {
    let table = table(["<my-cat>", "dog"], aliases: ["tabby": "<my-cat>"])
    #expect(table["<my-cat>"]?.name == "<my-cat>")
    #expect(table["my-cat"]?.name == "<my-cat>")
    #expect(table["tabby"]?.name == "<my-cat>")
    #expect(table["dog"]?.name == "dog")
    #expect(table["cat"] == nil)
  }
}
