import Testing
import Zlib

@Suite struct InflateTests {
  private let text = Array("hello hello hello hello".utf8)
  private let wrapped: [UInt8] = [
    0x78, 0xDA, 0xCB, 0x48, 0xCD, 0xC9, 0xC9, 0x57, 0xC8, 0x40, 0x27, 0x01, 0x68, 0x03, 0x08, 0xB1,
  ]
  private let raw: [UInt8] = [0xCB, 0x48, 0xCD, 0xC9, 0xC9, 0x57, 0xC8, 0x40, 0x27, 0x01]

  @Test func readsBothFormats() throws {
    #expect(try inflate(wrapped, limit: 23) == text)
    #expect(try inflate(raw, format: .raw, limit: 23) == text)
    #expect(try inflate(wrapped + [1, 2, 3], limit: 1000) == text)
    #expect(throws: InflateError.damaged) { try inflate(raw, limit: 23) }
  }

  @Test func stopsAtTheLimit() {
    #expect(throws: InflateError.tooLarge(limit: 22)) { try inflate(wrapped, limit: 22) }
    #expect(throws: InflateError.tooLarge(limit: 0)) { try inflate(wrapped, limit: 0) }
  }

  @Test func everyTruncationIsSeen() {
    for length in 0..<wrapped.count {
      #expect(throws: InflateError.truncated) { try inflate(Array(wrapped[..<length]), limit: 100) }
    }
  }

  @Test func damageIsSeen() {
    for index in wrapped.indices {
      var broken = wrapped
      broken[index] ^= 0x10
      #expect(throws: InflateError.self, "byte \(index)") { try inflate(broken, limit: 100) }
    }
  }

  @Test func largeTextsComeInPieces() throws {
    // Stored blocks of deflate: a header byte, the length, its complement, the bytes.
    let block = (0..<65535).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    let stored = [0x00, 0xFF, 0xFF, 0x00, 0x00] + block + [0x01, 0xFF, 0xFF, 0x00, 0x00] + block
    #expect(try inflate(stored, format: .raw, limit: 131_070) == block + block)
    #expect(throws: InflateError.tooLarge(limit: 131_069)) { try inflate(stored, format: .raw, limit: 131_069) }
  }

  @Test func checksums() {
    #expect(crc32(Array("123456789".utf8)) == 0xCBF4_3926)
    #expect(crc32([]) == 0)
  }
}
