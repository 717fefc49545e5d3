import Errors
import Files
import Formats
import FoundationEssentials
import Images

/// A picture of the concept, and what is known about it.
public struct ConceptPicture: Sendable {
  public let path: String
  /// Of the file, in lower-case hex.
  public let sha256: String
  /// As the network sees it: the middle first.
  public let views: [PictureView]
  public let caption: PictureCaption

  public init(path: String, sha256: String, views: [PictureView], caption: PictureCaption) {
    precondition(!views.isEmpty)
    self.path = path
    self.sha256 = sha256
    self.views = views
    self.caption = caption
  }

  /// One view, without a mask.
  public init(path: String, sha256: String, picture: Picture, templates: [String] = []) {
    self.init(
      path: path, sha256: sha256, views: [PictureView(picture: picture, mask: nil)],
      caption: PictureCaption(templates: templates))
  }

  /// The middle, of the size that was asked for.
  public var picture: Picture { views[0].picture }
}

/// The pictures of a folder, cut to the sizes of a model.
///
/// PNG, JPEG and WebP files by their extension; all else is left alone, sub-folders too. A file `cat.txt` beside
/// `cat.png` says what else is to be seen: what the caption says need not be learned. A file `cat.mask.png` beside it,
/// or the transparency of the picture itself, says what belongs to the concept: white, or opaque.
public struct ConceptPictures {
  public var framing = PictureFraming()
  public var isMasked = false
  /// The word that is learned, as captions may have it.
  public var token: String?
  /// Of the square for which the model was trained, in pixels.
  public let side: Int
  /// Sides of buckets are multiples of this.
  public let multiple: Int
  public var seed: UInt64 = 0

  public init(side: Int, multiple: Int = 8) {
    self.side = side
    self.multiple = multiple
  }

  /// The middles of a folder's pictures, all of one size.
  /// - Throws: as `read`.
  public static func read(folder: String, size: Int) throws -> [ConceptPicture] {
    try ConceptPictures(side: size).read(folder: folder)
  }

  /// - Throws: `fileUnavailable` or `badPicture` or `badFile`, naming the folder or file.
  public func read(folder: String) throws -> [ConceptPicture] {
    let names: [String]
    do {
      names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    } catch {
      throw InversionError(.fileUnavailable, "'\(folder)': no folder that can be read; give a folder of pictures")
    }
    let pictures = names.filter { name in
      !name.hasPrefix(".") && PictureFormat(path: name) != nil && !name.lowercased().hasSuffix(Self.maskSuffix)
    }
    guard !pictures.isEmpty else {
      throw InversionError(
        .fileUnavailable, "'\(folder)': no pictures; give a folder with three to five PNG, JPEG or WebP files")
    }
    return try pictures.enumerated().map { try read("\(folder)/\($1)", name: $1, number: $0) }
  }

  static let maskSuffix = ".mask.png"

  private func read(_ path: String, name: String, number: Int) throws -> ConceptPicture {
    let bytes = try readFile(path: path)
    let decoded = try DecodedPicture(bytes, source: path)
    let stem = String(path[..<(path.lastIndex(of: ".") ?? path.endIndex)])
    let whole = PictureView(picture: decoded.picture, mask: isMasked ? try mask(of: decoded, path, stem: stem) : nil)
    return ConceptPicture(
      path: path, sha256: sha256Hex(of: bytes),
      views: framing.views(whole, side: side, multiple: multiple, number: number, seed: seed),
      caption: try caption(stem: stem, name: name))
  }

  private func caption(stem: String, name: String) throws -> PictureCaption {
    guard FileManager.default.fileExists(atPath: "\(stem).txt") else { return PictureCaption(fileName: name) }
    return try PictureCaption(
      text: readFile(path: "\(stem).txt", limit: PromptTemplates.fileLimit), path: "\(stem).txt", token: token)
  }

  /// The mask file's brightness, or the picture's own opacity.
  /// - Throws: `badPicture` where there is neither, or the mask has another shape or nothing to show.
  private func mask(of decoded: DecodedPicture, _ path: String, stem: String) throws -> Picture {
    let file = stem + Self.maskSuffix
    let (width, height) = (decoded.picture.width, decoded.picture.height)
    let mask: Picture
    if FileManager.default.fileExists(atPath: file) {
      mask = try DecodedPicture(path: file).picture
      guard mask.width == width, mask.height == height else {
        throw InversionError(
          .badPicture,
          "'\(file)': \(mask.width)x\(mask.height) pixels, the picture has \(width)x\(height); make them equal")
      }
    } else if let alpha = decoded.alpha {
      mask = Picture(width: width, height: height, pixels: alpha.flatMap { [$0, $0, $0] })
    } else {
      throw InversionError(
        .badPicture,
        "'\(path)': neither transparent parts nor a mask '\(file)' (white where the concept is); make one")
    }
    guard mask.pixels.contains(where: { $0 > 0 }) else {
      throw InversionError(.badPicture, "'\(path)': its mask shows nothing of it; make the concept white in the mask")
    }
    return mask
  }
}
