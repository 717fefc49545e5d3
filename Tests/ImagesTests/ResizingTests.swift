import Images
import Testing

struct ResizeSample: Decodable, Sendable, CustomTestStringConvertible {
  let file: String
  let filter: String
  let width: Int
  let height: Int

  var testDescription: String { file }
}

@Suite struct ResizingTests {
  static let samples: [ResizeSample] = manifest("resized.json")
  private let filters: [String: ResizeFilter] = [
    "box": .box, "bilinear": .bilinear, "bicubic": .bicubic, "lanczos": .lanczos,
  ]

  private func decode(_ name: String) throws -> Picture {
    try DecodedPicture(sampleBytes("resized/\(name)"), source: name).picture
  }

  @Test func samplesAreThere() { #expect(Self.samples.count == 28) }

  @Test(arguments: samples)
  func equalsPillowBitForBit(_ sample: ResizeSample) throws {
    let filter = try #require(filters[sample.filter])
    let resized = try decode("source.png").resized(width: sample.width, height: sample.height, filter: filter)
    #expect(resized == (try decode(sample.file)))
  }

  @Test func sameSizeChangesNothing() throws {
    let picture = colourfulPicture(31, 17)
    for filter in ResizeFilter.allCases { #expect(picture.resized(width: 31, height: 17, filter: filter) == picture) }
    let flat = Picture(width: 40, height: 30, pixels: [UInt8](repeating: 77, count: 3600))
    #expect(flat.resized(to: 13).pixels.allSatisfy { $0 == 77 })
  }

  @Test func cropsTheMiddle() {
    let wide = colourfulPicture(11, 4)
    let square = wide.centerSquareCropped
    #expect(square.width == 4 && square.height == 4)
    #expect(Array(square.pixels[..<3]) == Array(wide.pixels[9..<12]))
    #expect(square.centerSquareCropped == square)
    let tall = colourfulPicture(3, 8).centerSquareCropped
    #expect(tall == colourfulPicture(3, 8).cropped(x: 0, y: 2, width: 3, height: 3))
  }

  @Test func gridsAlignColumns() {
    func flat(_ width: Int, _ height: Int, _ value: UInt8) -> Picture {
      Picture(width: width, height: height, pixels: [UInt8](repeating: value, count: width * height * 3))
    }
    let sheet = PictureGrid(rows: [[flat(2, 2, 1), flat(4, 2, 2)], [flat(2, 4, 3)]], gap: 1, background: (9, 8, 7))
      .picture()
    #expect(sheet.width == 9 && sheet.height == 9)
    func pixel(_ x: Int, _ y: Int) -> [UInt8] { Array(sheet.pixels[(y * 9 + x) * 3..<(y * 9 + x) * 3 + 3]) }
    #expect(
      pixel(0, 0) == [9, 8, 7] && pixel(1, 1) == [1, 1, 1] && pixel(2, 2) == [1, 1, 1] && pixel(3, 1) == [9, 8, 7])
    #expect(pixel(4, 1) == [2, 2, 2] && pixel(7, 2) == [2, 2, 2] && pixel(8, 1) == [9, 8, 7])
    #expect(pixel(1, 4) == [3, 3, 3] && pixel(2, 7) == [3, 3, 3] && pixel(5, 5) == [9, 8, 7])
    let byColumns = PictureGrid((1...5).map { flat(1, 1, $0) }, columns: 2, gap: 0).picture()
    #expect(byColumns.width == 2 && byColumns.height == 3)
    #expect(stride(from: 0, to: 18, by: 3).map { byColumns.pixels[$0] } == [1, 2, 3, 4, 5, 255])
  }
}
