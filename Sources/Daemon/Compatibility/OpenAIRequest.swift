import Errors
import Generation
import Images
import Wire

/// A request for pictures as OpenAI's API takes it, with our own fields beside theirs: `negative_prompt`, `seed`,
/// `steps`, `guidance_scale`, `sampler`, `strict`.
struct OpenAIRequest {
  let order: Order
  /// The answer carries `url`, with the picture in it, instead of `b64_json`.
  let wantsURL: Bool
  let stream: Bool
  /// As the answer names it.
  let quality: String

  private static let counts = 1...10

  /// - Parameter start: the picture to edit; its own size is the result's unless another is asked for.
  /// - Throws: `FieldError`, `OpenAIError`, `InversionError`.
  init(_ fields: RequestFields, shelf: ModelShelf, start: StartingPicture? = nil) throws {
    let model = try Self.model(try fields.string("model"), shelf)
    guard let prompt = try fields.string("prompt") else {
      throw OpenAIError(
        message: "Missing required parameter: 'prompt'.", parameter: "prompt", code: "missing_required_parameter")
    }
    var wire = GenerateRequest(prompt: prompt)
    wire.model = model
    wire.negativePrompt = try fields.string("negative_prompt")
    wire.seed = try fields.integer("seed").flatMap { $0 < 0 ? nil : UInt64($0) }
    wire.steps = try fields.int("steps")
    wire.guidanceScale = try fields.double("guidance_scale")
    wire.sampler = try fields.string("sampler")
    wire.strict = try fields.bool("strict")
    wire.count = try fields.int("n") ?? 1
    guard let count = wire.count, Self.counts.contains(count) else {
      throw OpenAIError(message: "'n' must be between 1 and 10", parameter: "n")
    }
    (wire.width, wire.height) = try Self.size(try fields.string("size"))
    (wire.format, wire.quality) = try Self.format(fields)
    if try fields.string("background") == "transparent" {
      throw OpenAIError(message: "'background': only opaque pictures are made", parameter: "background")
    }
    order = try Order(wire, start: start)
    wantsURL = try fields.string("response_format") == "url"
    stream = try fields.bool("stream") ?? false
    quality = try fields.string("quality") ?? "auto"
  }

  /// Clients are written for OpenAI's own models: their names stand for the one that is served anyway.
  private static func model(_ name: String?, _ shelf: ModelShelf) throws -> String? {
    guard let name, !["dall-e", "gpt-image", "chatgpt-image"].contains(where: name.hasPrefix) else { return nil }
    do { return try shelf.resolve(name) } catch {
      throw OpenAIError(
        status: .notFound, message: "The model '\(name)' does not exist.", parameter: "model", code: "model_not_found")
    }
  }

  /// `auto`, or `WxH`.
  private static func size(_ text: String?) throws -> (width: Int?, height: Int?) {
    guard let text, text != "auto" else { return (nil, nil) }
    let sides = text.split(separator: "x", omittingEmptySubsequences: false).map { Int($0) }
    guard sides.count == 2, let width = sides[0], let height = sides[1] else {
      throw OpenAIError(message: "'size': '\(text)' is neither 'auto' nor like '512x512'", parameter: "size")
    }
    return (width, height)
  }

  private static func format(_ fields: RequestFields) throws -> (format: String, quality: Int?) {
    let format = try fields.string("output_format") ?? "png"
    guard PictureFormat(rawValue: format) != nil else {
      throw OpenAIError(message: "'output_format' must be 'png', 'jpeg' or 'webp'", parameter: "output_format")
    }
    let compression = try fields.int("output_compression")
    guard compression.map((0...100).contains) ?? true else {
      throw OpenAIError(message: "'output_compression' must be between 0 and 100", parameter: "output_compression")
    }
    // PNG has no grades, and OpenAI's clients may send one anyway.
    return (format, format == "png" ? nil : compression.map { max(1, $0) })
  }
}

extension StartingPicture {
  /// The picture and the mask of a form: what is transparent in the mask, or without one in the picture, may change.
  /// - Throws: `FieldError`, `OpenAIError`, `.badPicture`.
  init(_ form: MultipartForm, _ fields: RequestFields) throws {
    guard let file = form.files["image"]?.first ?? form.files["image[]"]?.first else {
      throw OpenAIError(
        message: "Missing required parameter: 'image'.", parameter: "image", code: "missing_required_parameter")
    }
    let decoded = try DecodedPicture(file, source: "image", transparency: .ignored, limits: uploadedPictureLimits)
    var alpha = decoded.alpha
    var size = (decoded.picture.width, decoded.picture.height)
    if let file = form.files["mask"]?.first {
      let mask = try DecodedPicture(file, source: "mask", transparency: .ignored, limits: uploadedPictureLimits)
      guard let transparency = mask.alpha else {
        throw OpenAIError(
          message: "'mask': it has no transparent part, where the picture may change", parameter: "mask")
      }
      alpha = transparency
      size = (mask.picture.width, mask.picture.height)
    }
    self.init(decoded.picture, strength: try fields.double("strength") ?? 0.8)
    mask = alpha.map { alpha in
      Picture(width: size.0, height: size.1, pixels: alpha.flatMap { [UInt8](repeating: 255 - $0, count: 3) })
    }
  }
}
