import Foundation
import Images
import Testing

func sampleBytes(_ name: String) throws -> [UInt8] {
  let folder = try #require(Bundle.module.resourceURL)
  return Array(try Data(contentsOf: folder.appendingPathComponent("Samples/\(name)")))
}

func manifest<Item: Decodable>(_ name: String) -> [Item] {
  do {
    return try JSONDecoder().decode([Item].self, from: Data(sampleBytes(name)))
  } catch {
    preconditionFailure("\(name): \(error)")
  }
}

/// A picture with gradients, sharp edges and saturated colours.
func colourfulPicture(_ width: Int, _ height: Int) -> Picture {
  var pixels: [UInt8] = []
  for y in 0..<height {
    for x in 0..<width {
      pixels += [UInt8(x * 255 / width), UInt8(y * 255 / height), (x / 5 + y / 4) % 2 == 0 ? 20 : 220]
    }
  }
  return Picture(width: width, height: height, pixels: pixels)
}

/// The largest difference between two equally long rows of samples.
func largestDifference(_ a: [UInt8], _ b: [UInt8]) -> Int {
  zip(a, b).reduce(0) { max($0, abs(Int($1.0) - Int($1.1))) }
}
