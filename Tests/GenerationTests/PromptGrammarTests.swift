import Testing

@testable import Generation

/// The cases that AUTOMATIC1111 publishes in modules/prompt_parser.py, and what follows from them.
@Suite struct PromptGrammarTests {
  // MARK: Editing by step

  /// A prompt, its steps of an earlier pass, and its text up to each step of ten where it changes.
  struct Schedule: CustomTestStringConvertible {
    let prompt: String
    var passed: Int?
    let texts: [(Int, String)]

    init(_ prompt: String, passed: Int? = nil, _ texts: [(Int, String)]) {
      (self.prompt, self.passed, self.texts) = (prompt, passed, texts)
    }

    var testDescription: String { prompt }

    static func alternating(_ prompt: String, _ ways: String...) -> Schedule {
      Schedule(prompt, (1...10).map { ($0, ways[($0 - 1) % ways.count]) })
    }
  }

  static let published = [
    Schedule("test", [(10, "test")]),
    Schedule("a [b:3]", [(3, "a "), (10, "a b")]),
    Schedule("a [b: 3]", [(3, "a "), (10, "a b")]),
    Schedule("a [[[b]]:2]", [(2, "a "), (10, "a [[b]]")]),
    Schedule("[(a:2):3]", [(3, ""), (10, "(a:2)")]),
    Schedule("a [b : c : 1] d", [(1, "a b  d"), (10, "a  c  d")]),
    Schedule("a[b:[c:d:2]:1]e", [(1, "abe"), (2, "ace"), (10, "ade")]),
    Schedule("a [unbalanced", [(10, "a [unbalanced")]),
    Schedule("a [b:.5] c", [(5, "a  c"), (10, "a b c")]),
    Schedule("a [{b|d{:.5] c", [(5, "a  c"), (10, "a {b|d{ c")]),
    Schedule("((a][:b:c [d:3]", [(3, "((a][:b:c "), (10, "((a][:b:c d")]),
    .alternating("[a|(b:1.1)]", "a", "(b:1.1)"),
    .alternating("[fe|]male", "female", "male"),
    .alternating("[fe|||]male", "female", "male", "male", "male"),
    Schedule("a [b:.5] c", passed: 10, [(10, "a b c")]),
    Schedule("a [b:1.5] c", passed: 10, [(5, "a  c"), (10, "a b c")]),
  ]

  static let further = [
    Schedule("[a::9]", [(9, "a"), (10, "")]), Schedule("[:a:9]", [(9, ""), (10, "a")]),
    Schedule("[a:b:0]", [(10, "b")]), Schedule("[a:-1]", [(10, "a")]), Schedule("[a:1e1]", [(10, "")]),
    Schedule("[a:b:+3]", [(3, "a"), (10, "b")]), Schedule("[a:b:99]", [(10, "a")]),
    Schedule("a [b:.5 ] c", [(5, "a  c"), (10, "a b c")]), Schedule("[ a:b: 3 ]", [(3, " a"), (10, "b")]),
    Schedule("(a [b:c:3])", [(3, "(a b)"), (10, "(a c)")]), Schedule("(a:[b:c:3])", [(3, "(a:b)"), (10, "(a:c)")]),
    Schedule("[a\\:b:3]", [(3, ""), (10, "a\\:b")]),
    Schedule("[[a|b]:3]", (1...10).map { ($0, $0 < 4 ? "" : $0 % 2 == 0 ? "b" : "a") }),
    .alternating("[|a]", "", "a"), .alternating("[||]", ""),
  ]

  /// What looks like editing and is none stays as it is.
  static let plain = [
    "", "a|b", "{a|b}", "a [b|c", "[a:b]", "[a:b:c:5]", "[a:b|c]", "\\[a:b:3\\]", "a\\", "[]", "()", "(a|b)", "(a:b:c)",
    "[a:b:0x3]", "[a:b:nan]", "<lora:x:0.5>", "a:b", "[[a:b]:c:3]", "[a(b:3]", "[a)b:3]", "(a:1.2",
  ]

  @Test(arguments: published + further + plain.map { Schedule($0, [(10, $0)]) })
  func editing(case schedule: Schedule) {
    let parsed = PromptSchedule(schedule.prompt, steps: 10, passed: schedule.passed)
    for step in 1...10 {
      let expected = schedule.texts.first { step <= $0.0 }?.1
      #expect(parsed.text(planned: step) == expected, "step \(step)")
    }
    #expect(parsed.text(step: 0) == parsed.text(planned: 1) && parsed.text(step: 4) == parsed.text(planned: 4))
  }

  // MARK: Weights

  struct Weights: CustomTestStringConvertible {
    let prompt: String
    let pieces: [PromptWeights.Piece]

    init(_ prompt: String, _ pieces: PromptWeights.Piece...) { (self.prompt, self.pieces) = (prompt, pieces) }

    var testDescription: String { prompt }
  }

  static let publishedWeights = [
    Weights("normal text", .text("normal text", weight: 1)),
    Weights(
      "an (important) word", .text("an ", weight: 1), .text("important", weight: 1.1), .text(" word", weight: 1)),
    Weights("(unbalanced", .text("unbalanced", weight: 1.1)),
    Weights("\\(literal\\]", .text("(literal]", weight: 1)),
    Weights("(unnecessary)(parens)", .text("unnecessaryparens", weight: 1.1)),
    Weights(
      "a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).", .text("a ", weight: 1),
      .text("house", weight: 1.5730000000000004), .text(" ", weight: 1.1), .text("on", weight: 1),
      .text(" a ", weight: 1.1), .text("hill", weight: 0.55), .text(", sun, ", weight: 1.1),
      .text("sky", weight: 1.4641000000000006), .text(".", weight: 1.1)),
  ]

  static let furtherWeights = [
    Weights("", .text("", weight: 1)), Weights("a:b", .text("a:b", weight: 1)),
    Weights("(a: -0.5 )", .text("a", weight: -0.5)), Weights("a:1.2)", .text("a:1.2)", weight: 1)),
    Weights("(a:1.2.3)", .text("a:1.2.3", weight: 1.1)), Weights("a) ]b", .text("a) ]b", weight: 1)),
    Weights("\\a\\\\", .text("a\\", weight: 1)), Weights("[a]", .text("a", weight: 1 / 1.1)),
    Weights("a BREAK b", .text("a", weight: 1), .chunkBreak, .text("b", weight: 1)),
    Weights("a,BREAK\n(b)", .text("a,", weight: 1), .chunkBreak, .text("", weight: 1), .text("b", weight: 1.1)),
    Weights("BREAKfast unBREAK", .text("BREAKfast unBREAK", weight: 1)),
    Weights("(a BREAK b:2)", .text("a", weight: 2), .chunkBreak, .text("b", weight: 2)),
    Weights("(embedding:my-cat:1.2)", .text("embedding:my-cat", weight: 1.2)),
    Weights("((((a:9999):9999):9999):9999)", .text("a", weight: 1e6)),
  ]

  @Test(arguments: publishedWeights + furtherWeights)
  func weights(case weights: Weights) {
    #expect(PromptWeights.pieces(weights.prompt) == weights.pieces)
  }

  /// Any text is a prompt, in time that grows with its length; what it holds beside the grammar's characters stays.
  @Test(arguments: [
    "[", "(", "]", "((a:1.1)", "[a:b:", "[a|", "\\", ":", "[[a]:2]", "(:)", "BREAK ", "é\u{301}[", "👩‍👩‍👧(",
  ])
  func oddTexts(unit: String) {
    let prompt = String(repeating: unit, count: 4000)
    let schedule = PromptSchedule(prompt, steps: 20)
    let letters = { (text: String) in text.unicodeScalars.filter { !"\\()[]:|. 0123456789".unicodeScalars.contains($0) }
    }
    let pieces = PromptWeights.pieces(schedule.text(step: 0))
    #expect(!pieces.isEmpty)
    if !unit.contains("BREAK") && !unit.contains("]:2") {
      let text = pieces.map { if case .text(let text, _) = $0 { text } else { "" } }.joined()
      #expect(letters(text).elementsEqual(letters(schedule.text(step: 0))))
    }
  }
}
