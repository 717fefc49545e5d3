import Errors
import Glibc
import Images
import TestSupport
import Testing

struct PictureSample: Decodable, Sendable, CustomTestStringConvertible {
  let file: String
  let width: Int
  let height: Int
  let hasAlpha: Bool
  let tolerance: Int

  var testDescription: String { file }

  static let all: [PictureSample] = manifest("pictures.json")
}

@Suite struct DecodingTests {
  @Test func samplesAreThere() { #expect(PictureSample.all.count == 37) }

  @Test(arguments: PictureSample.all)
  func equalsPillow(_ sample: PictureSample) throws {
    let decoded = try DecodedPicture(sampleBytes("pictures/\(sample.file)"), source: sample.file)
    let expected = try sampleBytes("pictures/\(sample.file).raw")
    #expect(decoded.format == PictureFormat(path: sample.file))
    #expect(decoded.picture.width == sample.width && decoded.picture.height == sample.height)
    let count = sample.width * sample.height * 3
    #expect(largestDifference(decoded.picture.pixels, Array(expected[..<count])) <= sample.tolerance)
    #expect((decoded.alpha != nil) == sample.hasAlpha)
    if let alpha = decoded.alpha {
      #expect(alpha.count == sample.width * sample.height)
      #expect(largestDifference(alpha, Array(expected[count...])) <= sample.tolerance)
    }
  }

  @Test func transparencyCanBeIgnored() throws {
    let bytes = try sampleBytes("pictures/rgba.png")
    let stored = try DecodedPicture(bytes, source: "x", transparency: .ignored)
    let opaque = try DecodedPicture(sampleBytes("pictures/rgb.png"), source: "x")
    #expect(stored.picture == opaque.picture)
    #expect(try DecodedPicture(bytes, source: "x").picture != opaque.picture)
  }

  @Test func limitsPixelsAndBytes() throws {
    for name in ["rgb.png", "rgb.jpg", "lossless.webp", "animated.webp"] {
      let bytes = try sampleBytes("pictures/\(name)")
      let (pixels, count) = (37 * 23, bytes.count)
      _ = try DecodedPicture(bytes, source: "x", limits: PictureLimits(bytes: count, pixels: pixels))
      for limits in [PictureLimits(bytes: count - 1), PictureLimits(pixels: pixels - 1)] {
        let error = try #require(throws: InversionError.self) { try DecodedPicture(bytes, source: "x", limits: limits) }
        #expect(error.code == .badPicture && error.message.contains("'x'"))
      }
    }
  }

  /// A header that claims 2 billion pixels must be refused before memory is taken for them.
  @Test func refusesPixelBombs() throws {
    var bytes = try sampleBytes("pictures/rgb.png")
    bytes.replaceSubrange(16..<24, with: [0, 0, 0xFF, 0xFF, 0, 0, 0x7F, 0xFF])
    bytes.replaceSubrange(29..<33, with: [0xB1, 0x71, 0xA4, 0xF5])  // the header's checksum
    let error = try #require(throws: InversionError.self) { try DecodedPicture(bytes, source: "x") }
    #expect(error.message.contains("65535x32767 pixels"))
  }

  /// Found by fuzzing: a text chunk that claims 1.2 GB made libpng take them.
  @Test(arguments: ["zTXt", "tEXt", "iTXt", "iCCP", "eXIf", "sPLT", "hIST", "zzZz"])
  func refusesChunkBombs(_ type: String) throws {
    let whole = try sampleBytes("pictures/rgb.png")
    let bytes = whole[..<33] + [0x49, 0x6E, 0x74, 0x05] + Array(type.utf8) + Array("keyword\0\0".utf8) + whole[33...]
    let before = peakMemory()
    let error = try #require(throws: InversionError.self) { try DecodedPicture(Array(bytes), source: "x") }
    #expect(error.code == .badPicture && error.message.contains("truncated"))
    #expect(readParameters(Array(bytes)) == nil)
    #expect(peakMemory() - before < 300 << 10, "kilobytes")
  }

  /// The largest resident size of this process so far, in kilobytes.
  private func peakMemory() -> Int {
    var usage = rusage()
    getrusage(0, &usage)  // RUSAGE_SELF
    return usage.ru_maxrss
  }

  @Test(arguments: [[], Array("GIF89a".utf8), [0xFF, 0xD8], Array("RIFF1234WAVE".utf8), [0x89, 0x50, 0x4E, 0x47]])
  func refusesOtherFormats(_ bytes: [UInt8]) throws {
    let error = try #require(throws: InversionError.self) { try DecodedPicture(bytes, source: "a.png") }
    #expect(error.code == .badPicture && error.message.hasPrefix("'a.png': no PNG, JPEG or WebP picture"))
  }

  @Test(arguments: [
    "rgb.png", "interlaced.png", "subsampled.jpg", "progressive.jpg", "lossless.webp", "lossy.webp",
    "alpha.webp", "animated.webp",
  ])
  func refusesTruncatedFiles(_ name: String) throws {
    let whole = try sampleBytes("pictures/\(name)")
    // The last two bytes are JPEG's end marker, or the padding of a WebP chunk: no picture needs them.
    for length in stride(from: 0, to: whole.count - 2, by: 7) {
      let error = try #require(throws: InversionError.self, "\(name) cut to \(length) of \(whole.count)") {
        try DecodedPicture(Array(whole[..<length]), source: name)
      }
      #expect(error.code == .badPicture)
    }
  }

  @Test func readsFilesAndNamesThem() throws {
    let error = try #require(throws: InversionError.self) { try DecodedPicture(path: "/dev/null/none.png") }
    #expect(error.code == .fileUnavailable && error.message.contains("'/dev/null/none.png'"))
  }

  @Test func mutantsNeverCrash() throws {
    var generator = SeededGenerator(state: 2)
    var decoded = 0
    for sample in PictureSample.all {
      let whole = try sampleBytes("pictures/\(sample.file)")
      for _ in 0..<100 {
        let mutant = generator.mutate(whole)
        // A mutated size may be large; the test machine need not draw it.
        let limits = PictureLimits(pixels: 1 << 20)
        if let picture = try? DecodedPicture(mutant, source: "mutant", limits: limits) {
          #expect(picture.picture.pixels.count == picture.picture.width * picture.picture.height * 3)
          decoded += 1
        }
        _ = readParameters(mutant)
        _ = readPNGTexts(mutant)
      }
    }
    #expect(decoded > 100, "the mutants are too wild to test anything: \(decoded) decoded")
  }
}
