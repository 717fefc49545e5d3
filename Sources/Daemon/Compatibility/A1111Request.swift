import Errors
import Generation
import Images
import Wire

/// A request for pictures as A1111's API takes it: nearly fifty fields, of which clients send what they like.
struct A1111Request {
  let order: Order
  /// The request as it is given back: its own fields over the defaults.
  let parameters: [String: JSONValue]
  let sendImages: Bool

  private static let defaults: [String: JSONValue] = [
    "prompt": "", "negative_prompt": "", "styles": nil, "seed": -1, "subseed": -1, "subseed_strength": 0,
    "sampler_name": nil, "sampler_index": "Euler", "scheduler": nil, "batch_size": 1, "n_iter": 1, "steps": 50,
    "cfg_scale": 7, "width": 512, "height": 512, "restore_faces": nil, "tiling": nil, "eta": nil,
    "override_settings": nil, "script_name": nil, "script_args": [], "send_images": true, "save_images": false,
    "alwayson_scripts": [:],
  ]

  private static let startDefaults: [String: JSONValue] = [
    "init_images": nil, "mask": nil, "denoising_strength": 0.75, "resize_mode": 0, "mask_blur": 4,
    "inpainting_mask_invert": 0, "include_init_images": false,
  ]

  /// - Throws: `FieldError`, `A1111Error`, `InversionError`.
  init(
    _ sent: RequestFields, fromPicture: Bool, options: A1111Options.Values, _ shelf: ModelShelf
  ) throws {
    var fields = RequestFields(Self.defaults.merging(fromPicture ? Self.startDefaults : [:]) { $1 })
    // What is null in the request has its default, as for A1111.
    fields.object.merge(sent.object.filter { $0.value != .null }) { $1 }
    try Self.refuseWhatIsMissing(fields)
    let settings = try fields.fields("override_settings")
    var wire = GenerateRequest(prompt: try fields.string("prompt") ?? "")
    wire.model = try A1111Options.model(settings, shelf) ?? options.model
    wire.negativePrompt = try fields.string("negative_prompt")
    wire.steps = try fields.int("steps")
    wire.guidanceScale = try fields.double("cfg_scale")
    wire.seed = try fields.integer("seed").flatMap { $0 < 0 ? nil : UInt64($0) }
    wire.width = try fields.int("width")
    wire.height = try fields.int("height")
    wire.count = try Self.count(fields)
    wire.clipSkip = try settings.int("CLIP_stop_at_last_layers") ?? options.clipSkip
    let name = try fields.string("sampler_name") ?? fields.string("sampler_index") ?? "Euler"
    guard let method = try? SamplingMethod(sampler: name, scheduler: nil) else { throw A1111Error.samplerNotFound }
    wire.sampler = name
    // A1111 does not look at it for a sampler that has none, nor where the sampler's name says it.
    if method.sampler.takesScheduler && method.scheduler == nil { wire.scheduler = try fields.string("scheduler") }
    wire.subseed = try fields.integer("subseed").flatMap { $0 < 0 ? nil : UInt64($0) }
    wire.subseedStrength = try fields.double("subseed_strength")
    order = try Order(wire, start: fromPicture ? try Self.start(fields) : nil)
    sendImages = try fields.bool("send_images") ?? true
    if try fields.bool("include_init_images") != true {
      for field in ["init_images", "mask"] where fields.object[field] != nil { fields.object[field] = .null }
    }
    parameters = fields.object
  }

  private static func count(_ fields: RequestFields) throws -> Int {
    let (batch, rounds) = (try fields.int("batch_size") ?? 1, try fields.int("n_iter") ?? 1)
    let (count, overflow) = batch.multipliedReportingOverflow(by: rounds)
    return overflow || batch < 1 || rounds < 1 ? 0 : count
  }

  /// Fields that ask for what this daemon cannot do: their pictures would be others than were asked for.
  private static func refuseWhatIsMissing(_ fields: RequestFields) throws {
    for field in ["enable_hr", "restore_faces", "tiling"] where try fields.bool(field) == true {
      throw A1111Error(status: .unprocessableContent, detail: "'\(field)' is not available here; leave it out")
    }
    if let script = try fields.string("script_name"), !script.isEmpty {
      throw A1111Error(status: .unprocessableContent, detail: "Script '\(script)' not found")
    }
    if let script = try fields.fields("alwayson_scripts").object.keys.sorted().first {
      throw A1111Error(status: .unprocessableContent, detail: "always on script \(script) not found")
    }
  }

  // MARK: Starting picture

  private static func start(_ fields: RequestFields) throws -> StartingPicture {
    guard case .string(let text) = try fields.array("init_images").first else {
      throw A1111Error(status: .notFound, detail: "Init image not found")
    }
    var start = StartingPicture(try picture(text, "init_images").picture)
    start.strength = try fields.double("denoising_strength") ?? start.strength
    // 0 stretches; 1 crops. 2 would fill the margins with nothing that the model could use.
    start.fit = try fields.int("resize_mode") == 0 ? .stretch : .crop
    if let text = try fields.string("mask"), !text.isEmpty {
      start.mask = mask(try picture(text, "mask"), inverted: try fields.int("inpainting_mask_invert") == 1)
      start.maskBlur = try fields.double("mask_blur") ?? 0
    }
    return start
  }

  private static func picture(_ base64: String, _ field: String) throws -> DecodedPicture {
    guard let file = PictureFile(base64: base64) else { throw A1111Error.invalidPicture }
    return try DecodedPicture(
      file.bytes, source: field, transparency: .ignored, limits: uploadedPictureLimits)
  }

  /// Where the mask has transparency, the opaque part may change, else the bright one.
  private static func mask(_ decoded: DecodedPicture, inverted: Bool) -> Picture {
    let picture = decoded.picture
    var pixels = decoded.alpha.map { $0.flatMap { [UInt8](repeating: $0 > 128 ? 255 : 0, count: 3) } } ?? picture.pixels
    if inverted { pixels = pixels.map { 255 - $0 } }
    return Picture(width: picture.width, height: picture.height, pixels: pixels)
  }
}
