import StrictJSON
import Testing

@Suite struct JSONScannerTests {
  private func skips(_ text: String) throws {
    var scanner = try JSONScanner(Array(text.utf8))
    try scanner.skipValue()
    try scanner.end()
  }

  @Test(arguments: [
    "{}", "[]", "0", "-0", "-1.5e+10", "1E9", "10", "\"\"", "true", "false", "null", " [ 1 , 2 ] ",
    "{\"a\":{\"b\":[{}]}}",
    "\"\\ud83d\\ude00\"", "\"é😀\"", "\t\r\n1",
  ])
  func accepts(_ text: String) throws { try skips(text) }

  @Test(arguments: [
    "", "{", "}", "[1,]", "{\"a\":1,}", "{\"a\"}", "{a:1}", "{'a':1}", "01", "-01", "+1", ".5", "1.",
    "1e", "1e+", "--1", "tru", "nul", "True", "\"", "\"\\\"", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"",
    "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\udc00\"",
    "\"\\ud800\\ud800\"", "\"a\nb\"", "1 2", "{} {}", "{\"a\":1,\"a\":2}", "{\"a\":1,\"\\u0061\":2}",
    "[1 2]", "\u{FEFF}1", "nan",
    "{\"a\":1 \"b\":2}", "/**/1",
  ])
  func refuses(_ text: String) {
    #expect(throws: JSONError.self) { try skips(text) }
  }

  @Test func refusesInvalidUTF8() {
    #expect(throws: JSONError.self) { try JSONScanner([0x22, 0xC0, 0xAF, 0x22]) }
    #expect(throws: JSONError.self) { try JSONScanner([0x22, 0xED, 0xA0, 0x80, 0x22]) }
  }

  @Test func limitsDepth() throws {
    let deep = JSONScanner.depthLimit
    try skips(String(repeating: "[", count: deep) + String(repeating: "]", count: deep))
    #expect(throws: JSONError.self) { try skips(String(repeating: "[", count: deep + 1)) }
    try skips("[" + Array(repeating: "[]", count: 1000).joined(separator: ",") + "]")
  }

  @Test func resolvesEscapes() throws {
    var scanner = try JSONScanner(Array(#""\"\\\/\b\f\n\r\tA\u00e9\u20AC\uD83D\ude00z""#.utf8))
    #expect(try scanner.string() == "\"\\/\u{8}\u{C}\n\r\tA\u{E9}\u{20AC}\u{1F600}z")
    try scanner.end()
  }

  @Test(arguments: [
    ("0", UInt64?.some(0)), ("18446744073709551615", .max), ("18446744073709551616", nil),
    ("99999999999999999999", nil),
    ("1.0", nil), ("2e0", nil), ("-2", nil), ("-0", nil), ("007", nil), ("\"1\"", nil), ("", nil),
  ])
  func readsUnsignedIntegers(_ text: String, _ value: UInt64?) throws {
    var scanner = try JSONScanner(Array(text.utf8))
    guard let value else {
      #expect(throws: JSONError.self) { try scanner.unsignedInteger() }
      return
    }
    #expect(try scanner.unsignedInteger() == value)
    try scanner.end()
  }

  @Test(arguments: [
    ("1000000000000000019884624838656", 1e30), ("-1.5e2", -150), ("0", 0), ("1e999", .infinity),
  ])
  func readsNumbers(_ text: String, _ value: Double) throws {
    var scanner = try JSONScanner(Array(text.utf8))
    #expect(try scanner.number() == value)
    try scanner.end()
  }

  @Test func tellsKinds() throws {
    var kinds: [JSONScanner.Kind?] = []
    var scanner = try JSONScanner(Array(#"[{},[],"",-1,7,true,false,null,?"#.utf8))
    #expect(throws: JSONError.self) {
      try scanner.array { scanner in
        kinds.append(scanner.nextKind())
        try scanner.skipValue()
      }
    }
    #expect(kinds == [.object, .array, .string, .number, .number, .boolean, .boolean, .null, nil])
  }

  @Test func literalsReadBack() throws {
    let text = "a\"\\\u{1}\u{1F}\u{7F}\u{8}\u{C}\n\r\té😀/\u{2028}"
    #expect(jsonLiteral("\u{1}\"") == #""\u0001\"""#)
    var scanner = try JSONScanner(Array(jsonLiteral(text).utf8))
    #expect(try scanner.string().unicodeScalars.elementsEqual(text.unicodeScalars))
  }

  @Test func canonicallyEquivalentKeysAreDistinct() throws {
    var keys = 0
    var scanner = try JSONScanner(Array("{\"\u{E9}\":1,\"e\u{301}\":2}".utf8))
    try scanner.object { scanner, _ in
      keys += 1
      try scanner.skipValue()
    }
    #expect(keys == 2)
  }
}
