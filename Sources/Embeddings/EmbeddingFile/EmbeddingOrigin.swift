/// What kind of file an embedding came from.
public struct EmbeddingOrigin: Sendable, Hashable, CustomStringConvertible {
  public let container: EmbeddingContainer
  public let layout: EmbeddingLayout

  public init(_ container: EmbeddingContainer, _ layout: EmbeddingLayout) {
    self.container = container
    self.layout = layout
  }

  public var description: String { "\(layout.rawValue), \(container.rawValue)" }
}

/// How the bytes of the file are packed.
public enum EmbeddingContainer: String, Sendable, CaseIterable {
  case safetensors
  case torch
  case gguf = "GGUF"
  case png = "PNG"
  case webp = "WebP"

  /// By the first bytes, whatever the file is called; nil for none of these.
  init?(sniffing bytes: [UInt8]) {
    if bytes.count >= 9, bytes[4..<8].allSatisfy({ $0 == 0 }), bytes[8] == UInt8(ascii: "{") {
      // First: the length of its header may begin as any of the others, 640 as a pickle and 19280 as "PK".
      self = .safetensors
    } else if bytes.starts(with: Array("GGUF".utf8)) {
      self = .gguf
    } else if bytes.starts(with: Array("PK".utf8)) || bytes.count > 1 && bytes[0] == 0x80 && bytes[1] <= 5 {
      // Of the pickle's protocols torch's files have one; the others are for its reader to refuse.
      self = .torch
    } else if bytes.starts(with: [0x89, 0x50, 0x4E, 0x47]) {
      self = .png
    } else if bytes.starts(with: Array("RIFF".utf8)) && bytes.dropFirst(8).starts(with: Array("WEBP".utf8)) {
      self = .webp
    } else if bytes.count >= 9 && bytes[8] == UInt8(ascii: "{") {
      // Its length is absurd: for its reader to say.
      self = .safetensors
    } else {
      return nil
    }
  }

  /// Endings of the names of such files, the usual one first.
  public var extensions: [String] {
    switch self {
    case .safetensors: ["safetensors"]
    case .torch: ["pt", "bin", "ckpt"]
    case .gguf: ["gguf"]
    case .png: ["png"]
    case .webp: ["webp"]
    }
  }

  /// Whether such a file is a picture, most of which carry no embedding.
  var isPicture: Bool { self == .png || self == .webp }

  /// By the ending of a file's name; nil for one that no embedding file has.
  public init?(path: String) {
    let name = path.split(separator: "/").last ?? ""
    guard let dot = name.lastIndex(of: "."), dot != name.startIndex else { return nil }
    let ending = name[name.index(after: dot)...].lowercased()
    guard let container = Self.allCases.first(where: { $0.extensions.contains(ending) }) else { return nil }
    self = container
  }
}

/// Which tool's habits the content follows.
public enum EmbeddingLayout: String, Sendable, CaseIterable {
  /// One tensor whose key is the trigger word; `learned_embeds` of the sd-concepts-library.
  case diffusers
  /// A key a vector: `tok`, `tok_1`, …
  case invoke = "InvokeAI"
  /// `string_to_param` with one tensor, and a name.
  case a1111 = "AUTOMATIC1111"
  /// The paper's own: `string_to_param` is a ParameterDict, `string_to_token` holds tensors.
  case paper = "Gal et al."
  /// `emb_params`, as in EasyNegative.
  case kohya
  /// `emp_params`.
  case oneTrainer = "OneTrainer"
  /// `clip_l` and `clip_g`, or `text_encoders_0` and `text_encoders_1`.
  case sdxl = "SDXL pair"
  /// 16 keys, one a cross-attention layer.
  case xti = "kohya XTI"
  /// A tensor without a name.
  case bare = "a tensor"
  /// A1111's JSON in a text chunk of a picture.
  case card = "AUTOMATIC1111 card"
  /// The same hidden in the picture's pixels.
  case hiddenCard = "AUTOMATIC1111 card, in the pixels"
}
