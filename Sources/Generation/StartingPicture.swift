import Errors
import Images

/// A picture to start from instead of noise alone (img2img), and the part of it that may change (inpainting).
public struct StartingPicture: Sendable, Equatable {
  /// How a picture of other proportions becomes one of the size that is asked for.
  public enum Fit: Sendable {
    case stretch
    /// The largest part of the right proportions, from the middle.
    case crop
  }

  public var picture: Picture
  /// 0 to 1: how far it may be left. The last `strength` of the steps are taken.
  public var strength: Double
  /// White where the picture may change, black where it stays as it is; nil lets all of it change.
  public var mask: Picture?
  /// Pixels of the result over which the mask's edge is softened (the deviation of a Gaussian).
  public var maskBlur: Double
  public var fit: Fit

  public init(
    _ picture: Picture, strength: Double = 0.75, mask: Picture? = nil, maskBlur: Double = 0, fit: Fit = .crop
  ) {
    self.picture = picture
    self.strength = strength
    self.mask = mask
    self.maskBlur = maskBlur
    self.fit = fit
  }

  static let largestBlur = 64.0

  /// - Throws: `invalidArgument`.
  func check() throws(InversionError) {
    guard (0...1).contains(strength) else {
      throw InversionError(.invalidArgument, "'strength' is \(strength); choose 0 to 1")
    }
    guard (0...Self.largestBlur).contains(maskBlur) else {
      throw InversionError(.invalidArgument, "'mask_blur' is \(maskBlur); choose 0 to \(Int(Self.largestBlur))")
    }
  }

  /// The first step that is taken of all `steps`; at least one is.
  func firstStep(of steps: Int) -> Int { min(steps - Int(Double(steps) * strength), steps - 1) }

  /// Picture and mask in the size of the result.
  func fitted(_ size: PictureSize) -> FittedStart {
    FittedStart(
      picture: fitted(picture, size),
      mask: mask.map { Mask(fitted($0, size)).blurred(maskBlur) })
  }

  private func fitted(_ picture: Picture, _ size: PictureSize) -> Picture {
    guard picture.width != size.width || picture.height != size.height else { return picture }
    let whole = fit == .crop ? picture.centerCropped(proportions: size) : picture
    return whole.resized(width: size.width, height: size.height)
  }
}

/// A starting picture of the result's size.
struct FittedStart {
  let picture: Picture
  let mask: Mask?

  /// `made` where the mask is white, the starting picture itself where it is black.
  func composed(_ made: Picture) -> Picture {
    guard let mask else { return made }
    var pixels = made.pixels
    for pixel in mask.values.indices {
      let weight = Int(mask.values[pixel])
      for index in 3 * pixel..<3 * pixel + 3 {
        // Rounded to the nearest.
        pixels[index] = UInt8(
          (Int(made.pixels[index]) * weight + Int(picture.pixels[index]) * (255 - weight) + 127) / 255)
      }
    }
    return Picture(width: made.width, height: made.height, pixels: pixels)
  }
}

extension Picture {
  /// The largest part with the proportions of a size, from the middle.
  fileprivate func centerCropped(proportions size: PictureSize) -> Picture {
    let isWider = width * size.height > height * size.width
    let newWidth = isWider ? max(1, height * size.width / size.height) : width
    let newHeight = isWider ? height : max(1, width * size.height / size.width)
    return cropped(x: (width - newWidth) / 2, y: (height - newHeight) / 2, width: newWidth, height: newHeight)
  }
}
