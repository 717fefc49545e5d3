import Errors
import Images
import Testing

@Suite struct EncodingTests {
  private let picture = colourfulPicture(50, 30)
  private let infotext = "a cat, <x:1>\nNegative prompt: bad\nSteps: 20, Seed: 7"
  private let unicode = "猫の写真 café 😀\nSteps: 8"

  private func decode(_ bytes: [UInt8]) throws -> Picture { try DecodedPicture(bytes, source: "x").picture }

  @Test(arguments: [PictureFormat.png, .webp])
  func losslessRoundTrip(_ format: PictureFormat) throws {
    let bytes = try picture.encoded(as: format)
    #expect(PictureFormat(sniffing: bytes) == format)
    #expect(try decode(bytes) == picture)
    #expect(readParameters(bytes) == nil)
    for size in [(1, 1), (1, 300), (300, 1), (65, 3)] {
      let odd = colourfulPicture(size.0, size.1)
      #expect(try decode(odd.encoded(as: format)) == odd)
    }
  }

  @Test(arguments: [(PictureFormat.webp, 90, 2), (.webp, 20, 6), (.jpeg, 95, 1), (.jpeg, 20, 6)])
  func lossyRoundTrip(_ format: PictureFormat, _ quality: Int, _ meanDifference: Int) throws {
    let smooth = colourfulPicture(8, 6).resized(width: 200, height: 150, filter: .bicubic)
    let bytes = try smooth.encoded(as: format, quality: quality)
    let back = try decode(bytes)
    #expect(back.width == 200 && back.height == 150)
    let sum = zip(back.pixels, smooth.pixels).reduce(0) { $0 + abs(Int($1.0) - Int($1.1)) }
    #expect(sum <= meanDifference * smooth.pixels.count, "\(Double(sum) / Double(smooth.pixels.count))")
    #expect(back != smooth)
    let low = try smooth.encoded(as: format, quality: 5)
    #expect(low.count < bytes.count)
  }

  @Test(arguments: PictureFormat.allCases)
  func carriesParameters(_ format: PictureFormat) throws {
    for text in [infotext, unicode, "", String(repeating: "long é ", count: 2000)] {
      let bytes = try picture.encoded(as: format, parameters: text)
      #expect(readParameters(bytes) == text)
      #expect(try decode(bytes).width == 50)
    }
    #expect(readParameters(try picture.encoded(as: format, parameters: "a\0b")) == "ab")
    if format == .webp {
      let bytes = try picture.encoded(as: .webp, quality: 80, parameters: unicode)
      #expect(readParameters(bytes) == unicode)
    }
  }

  @Test func asciiIsTEXtAndOthersAreITXt() throws {
    let ascii = try picture.encoded(as: .png, parameters: infotext)
    #expect(ascii.contains(sequence: "tEXtparameters\0a cat") && !ascii.contains(sequence: "iTXt"))
    #expect(try picture.encoded(as: .png, parameters: unicode).contains(sequence: "iTXtparameters\0\0\0\0\0猫"))
  }

  /// Byte for byte the structure that the sample from the web UI has.
  @Test func exifEqualsTheSamples() throws {
    let sample = try sampleBytes("carriers/exif_unicode.jpg")
    let text = try #require(readParameters(sample))
    let jpeg = try picture.encoded(as: .jpeg, parameters: text)
    let length = 4 + 6 + 44 + 2 * text.utf16.count
    let start = try #require(jpeg.firstIndex(of: 0xE1))
    let sampleStart = try #require(sample.firstIndex(of: 0xE1))
    let (structure, expected) = (jpeg[(start + 3)...].prefix(length), sample[(sampleStart + 3)...].prefix(length))
    #expect(structure.prefix(6 + 36).elementsEqual(expected.prefix(6 + 36)))
  }

  @Test func refusesWhatDoesNotFit() throws {
    let long = String(repeating: "x", count: 33_000)
    let cases: [(String, () throws -> [UInt8])] = [
      ("quality '101'", { try picture.encoded(as: .jpeg, quality: 101) }),
      ("quality '-1'", { try picture.encoded(as: .webp, quality: -1) }),
      ("JPEG", { try picture.encoded(as: .jpeg, parameters: long) }),
      (
        "16383",
        { try Picture(width: 16384, height: 1, pixels: [UInt8](repeating: 0, count: 49152)).encoded(as: .webp) }
      ),
    ]
    for (part, encode) in cases {
      let error = try #require(throws: InversionError.self) { try encode() }
      #expect(error.code == .invalidArgument && error.message.contains(part), "\(error.message)")
    }
    #expect(readParameters(try picture.encoded(as: .webp, parameters: long)) == long)
    #expect(readParameters(try picture.encoded(as: .png, parameters: long)) == long)
  }

  @Test func formatsByPath() {
    #expect(PictureFormat(path: "a/b.PNG") == .png && PictureFormat(path: "x.jpeg") == .jpeg)
    #expect(PictureFormat(path: "x.JPG") == .jpeg && PictureFormat(path: "x.tar.webp") == .webp)
    for path in ["png", "a.png/b", "x.gif", "", "x."] { #expect(PictureFormat(path: path) == nil) }
  }
}

extension [UInt8] {
  fileprivate func contains(sequence text: String) -> Bool {
    let needle = Array(text.utf8)
    return indices.contains { self[$0...].starts(with: needle) }
  }
}
