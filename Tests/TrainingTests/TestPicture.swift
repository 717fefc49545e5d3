import Images

@testable import Training

enum TestPicture {
  /// A diagonal ramp with a spot, different for each number.
  static func picture(_ number: Int = 0, side: Int = 16) -> Picture {
    var pixels: [UInt8] = []
    for y in 0..<side {
      for x in 0..<side {
        let inSpot = abs(x - 4 - number) < 3 && abs(y - 6) < 3
        pixels += inSpot ? [250, 40, UInt8(20 * number)] : [UInt8(8 * x), UInt8(8 * y), 120]
      }
    }
    return Picture(width: side, height: side, pixels: pixels)
  }

  static func concept(_ number: Int = 0, side: Int = 16, templates: [String] = []) -> ConceptPicture {
    ConceptPicture(
      path: "\(number).png", sha256: "hash\(number)", picture: picture(number, side: side), templates: templates)
  }
}
