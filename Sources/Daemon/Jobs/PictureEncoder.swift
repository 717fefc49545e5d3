import Errors
import FoundationEssentials
import Images

/// Turns a picture into a file with its parameters in it.
public struct PictureEncoder: Sendable {
  public typealias Body =
    @Sendable (Picture, _ format: PictureFormat, _ quality: Int?, _ infotext: String) throws(InversionError) -> [UInt8]
  private let body: Body

  public init(_ body: @escaping Body) { self.body = body }

  func callAsFunction(
    _ picture: Picture, format: PictureFormat, quality: Int?, infotext: String
  ) throws(InversionError) -> Data {
    Data(try body(picture, format, quality, infotext))
  }
}
