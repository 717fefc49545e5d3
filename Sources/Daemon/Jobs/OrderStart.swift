import Errors
import Generation
import Images
import Wire

/// Of the pictures that come in requests.
let uploadedPictureLimits = PictureLimits(bytes: 16 << 20, pixels: 16_000_000)

extension StartingPicture {
  /// The starting picture of a request; nil when it has none.
  /// - Throws: `.badPicture`; `.invalidArgument` for a mask without a picture.
  init?(_ wire: GenerateRequest) throws(InversionError) {
    guard let file = wire.initImage else {
      let orphan = wire.mask != nil ? "mask" : wire.strength != nil ? "strength" : nil
      if let orphan {
        throw InversionError(.invalidArgument, "'\(orphan)' needs 'init_image', the picture to start from")
      }
      return nil
    }
    self.init(try DecodedPicture(file.bytes, source: "init_image", limits: uploadedPictureLimits).picture)
    if let file = wire.mask {
      mask = try DecodedPicture(file.bytes, source: "mask", transparency: .ignored, limits: uploadedPictureLimits)
        .picture
    }
    strength = wire.strength ?? strength
    maskBlur = wire.maskBlur ?? maskBlur
  }
}
