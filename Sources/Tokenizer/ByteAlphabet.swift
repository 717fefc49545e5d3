/// The printable character that stands for each byte in the files of a byte-pair vocabulary (GPT-2's and CLIP's).
///
/// Printable bytes of Latin-1 stand for themselves; the other 68, in order, are U+0100 and up.
enum ByteAlphabet {
  /// The 256 bytes in the order of their token ids: the printable ones first.
  static let order: [UInt8] = {
    let printable = Array(33...126) + Array(161...172) + Array(174...255)
    return (printable + (0...255).filter { !printable.contains($0) }).map { UInt8($0) }
  }()

  /// The character of each byte.
  static let scalars: [Unicode.Scalar] = {
    var scalars = [Unicode.Scalar](repeating: " ", count: 256)
    let printableCount = 188
    for (index, byte) in order.enumerated() {
      let value = index < printableCount ? UInt32(byte) : 0x100 + UInt32(index - printableCount)
      scalars[Int(byte)] = Unicode.Scalar(value) ?? " "
    }
    return scalars
  }()

  /// The byte of each character below U+0144; nil for those that stand for none.
  private static let bytes: [UInt8?] = {
    var bytes = [UInt8?](repeating: nil, count: 0x144)
    for (byte, scalar) in scalars.enumerated() { bytes[Int(scalar.value)] = UInt8(byte) }
    return bytes
  }()

  static func byte(of scalar: Unicode.Scalar) -> UInt8? {
    scalar.value < bytes.count ? bytes[Int(scalar.value)] : nil
  }
}
