import Images
import Testing

struct CarrierSample: Decodable, Sendable, CustomTestStringConvertible {
  let file: String
  let parameters: String

  var testDescription: String { file }
}

@Suite struct CarrierTests {
  static let samples: [CarrierSample] = manifest("carriers.json")

  @Test(arguments: samples)
  func readsParameters(_ sample: CarrierSample) throws {
    #expect(readParameters(try sampleBytes("carriers/\(sample.file)")) == sample.parameters)
  }

  @Test func samplesAreThere() { #expect(Self.samples.count == 6) }

  @Test func readsEveryKindOfTextChunk() throws {
    let texts = try ["text_chunk", "itxt_chunk", "ztxt_chunk"].map { name in
      try #require(readPNGTexts(sampleBytes("carriers/\(name).png")).first { $0.keyword == "sd-ti-embedding" }).text
    }
    #expect(texts[0].hasPrefix("eyJzdHJpbmdfdG9fdG9rZW4") && texts[0].count > 15_000)
    #expect(texts[1] == texts[0] && texts[2] == texts[0])
  }

  @Test func picturesWithoutTextHaveNone() throws {
    for name in ["rgb.png", "rgb.jpg", "lossless.webp", "oriented.webp"] {
      #expect(readParameters(try sampleBytes("pictures/\(name)")) == nil)
    }
    #expect(readParameters([]) == nil && readParameters(Array("GIF89a".utf8)) == nil)
    #expect(readPNGTexts(try sampleBytes("pictures/rgb.jpg")).isEmpty)
  }

  @Test func damagedTextsAreLeftOut() throws {
    #expect(readPNGTexts(try sampleBytes("carriers/png_truncated.png")).isEmpty)
    var bytes = try sampleBytes("carriers/text.png")
    let start = try #require(bytes.indices.first { bytes[$0...].starts(with: Array("tEXt".utf8)) })
    bytes[start + 20] ^= 1
    #expect(readParameters(bytes) == nil)
  }

  @Test func theLastTextCounts() throws {
    let first = try Picture(width: 1, height: 1, pixels: [1, 2, 3]).encoded(as: .png, parameters: "one")
    let second = try Picture(width: 1, height: 1, pixels: [1, 2, 3]).encoded(as: .png, parameters: "two")
    // Signature and header have 33 bytes, the text chunk 12 + 10 + 1 + 3.
    let both = first[..<33] + second[33..<59] + first[33...]
    #expect(readPNGTexts(Array(both)).map(\.text) == ["two", "one"])
    #expect(readParameters(Array(both)) == "one")
  }

  @Test func otherCommentEncodings() throws {
    func webp(_ comment: [UInt8], littleEndian: Bool = false) -> [UInt8] {
      func number(_ value: Int, _ size: Int) -> [UInt8] {
        let bytes = (0..<size).map { UInt8(value >> (8 * $0) & 255) }
        return littleEndian ? bytes : bytes.reversed()
      }
      func folder(_ tag: Int, _ type: Int, _ count: Int, _ value: Int) -> [UInt8] {
        number(1, 2) + number(tag, 2) + number(type, 2) + number(count, 4) + number(value, 4) + number(0, 4)
      }
      let tiff =
        Array((littleEndian ? "II" : "MM").utf8) + number(42, 2) + number(8, 4) + folder(0x8769, 4, 1, 26)
        + folder(0x9286, 7, comment.count, 44) + comment
      let length = (0..<4).map { UInt8(tiff.count >> (8 * $0) & 255) }
      return Array("RIFF\0\0\0\0WEBPEXIF".utf8) + length + tiff
    }
    let name = Array("UNICODE\0".utf8)
    #expect(readParameters(webp(name + Array("hé".utf16).flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] })) == "hé")
    let low = name + Array("hé".utf16).flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] }
    #expect(readParameters(webp(low, littleEndian: true)) == "hé")
    #expect(readParameters(webp(Array("ASCII\0\0\0plain\0".utf8))) == "plain")
    #expect(readParameters(webp([UInt8](repeating: 0, count: 8) + Array("none é".utf8))) == "none é")
    #expect(readParameters(webp(Array("raw UTF-8 é".utf8), littleEndian: true)) == "raw UTF-8 é")
    #expect(readParameters(webp(name)) == "")
    #expect(readParameters(webp(name + [0])) == "")
  }
}
