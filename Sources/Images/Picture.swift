/// A picture in memory: 8-bit RGB, rows from the top, pixels from the left.
public struct Picture: Sendable, Equatable {
  public let width: Int
  public let height: Int
  /// (height, width, 3)
  public var pixels: [UInt8]

  public init(width: Int, height: Int, pixels: [UInt8]) {
    precondition(width > 0 && height > 0 && pixels.count == width * height * 3)
    self.width = width
    self.height = height
    self.pixels = pixels
  }
}
