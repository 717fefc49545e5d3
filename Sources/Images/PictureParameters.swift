/// The texts that a PNG file carries, in their order, whatever chunk they stand in (tEXt, zTXt, iTXt); none for other
/// files.
///
/// A text that is damaged, or decompresses to more than 16 MiB, is left out.
public func readPNGTexts(_ bytes: [UInt8]) -> [(keyword: String, text: String)] {
  PictureFormat(sniffing: bytes) == .png ? PictureContainer(bytes, .png).texts : []
}

/// The generation parameters that a picture file carries: EXIF's user comment, else PNG's text `parameters`; nil for
/// none.
public func readParameters(_ bytes: [UInt8]) -> String? {
  guard let format = PictureFormat(sniffing: bytes) else { return nil }
  let container = PictureContainer(bytes, format)
  return container.exif.flatMap { Exif($0)?.comment }
    ?? container.texts.last { $0.keyword == parametersKeyword }?.text
}

/// The keyword under which web UIs store and look for the parameters in PNG.
let parametersKeyword = "parameters"
