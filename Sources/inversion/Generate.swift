import ArgumentParser
import Client
import Errors
import Files
import Foundation
import Images
import Wire

struct Generate: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Let the daemon make pictures.",
    discussion: "The picture's file says how it was made. Ctrl-C cancels the job.")

  @Argument(help: "What the picture shows. '<my-cat>' calls a learned word.")
  var prompt: String

  @Option(
    name: [.short, .long],
    help: ArgumentHelp(
      "The file to write: .webp, .png or .jpg. Several pictures go to 'out-1.webp', 'out-2.webp' ...", valueName: "file"
    ))
  var output: String

  @Option(help: "The name of a model. By default the daemon's own choice.")
  var model: String?

  @Option(help: "What it does not show.")
  var negative: String?

  @Option(
    help: "'a1111', AUTOMATIC1111's weights and editing, or 'plain', where every character is text. By default a1111.")
  var promptSyntax: String?

  @Option(help: "Denoising steps. By default 20.")
  var steps: Int?

  @Option(help: "Classifier-free guidance. By default 7.5; 1 switches it off.")
  var guidance: Double?

  @Option(help: "Equal seed, equal picture. By default random, and printed.")
  var seed: UInt64?

  @Option(help: ArgumentHelp("By default the model's own.", valueName: "WxH"))
  var size: PictureSize?

  @Option(help: "As 'ddim', 'Euler a' or 'DPM++ 2M Karras'; docs/sampling.md lists them. By default ddim.")
  var sampler: String?

  @Option(help: "How it spreads the noise levels: 'normal', 'karras' or 'exponential'. By default the model's own.")
  var scheduler: String?

  @Option(
    help: ArgumentHelp(
      "Faster, T-GATE: behind this step, cross-attention and guidance are left out.", valueName: "step"))
  var tgate: Int?

  @Option(
    help: ArgumentHelp("Faster, DeepCache: the whole U-Net runs at every n-th call only.", valueName: "n"))
  var deepcache: Int?

  @Option(help: "Layers of the U-Net's first block that run at every call. By default 1.")
  var deepcacheDepth: Int?

  @Option(help: "Where noise comes from: 'philox' or 'torch-cpu', as diffusers on a CPU. By default philox.")
  var rng: String?

  @Option(help: "Seed of other noise to mix in. By default random.")
  var subseed: UInt64?

  @Option(help: "How much of it, 0 to 1. By default 0.")
  var subseedStrength: Double?

  @Option(help: ArgumentHelp("A picture to start from instead of noise alone.", valueName: "file"))
  var from: String?

  @Option(help: "0 to 1: how far that picture may be left. By default 0.75.")
  var strength: Double?

  @Option(
    help: ArgumentHelp("A picture: white where that picture may change, black where it stays.", valueName: "file"))
  var mask: String?

  @Option(help: "Number of pictures.")
  var count = 1

  @Option(help: "1 takes the text encoder's last layer, 2 the one before it.")
  var clipSkip: Int?

  @Flag(help: "Refuse a prompt that calls a word that is not in force.")
  var strict = false

  @Option(help: ArgumentHelp("1 to 100, or 'lossless'. By default lossless, for JPEG 95.", valueName: "n"))
  var quality: PictureQuality?

  @OptionGroup var socket: SocketOption
  @OptionGroup var listing: ListingOption

  func run() async throws {
    let format = try outputFormat()
    let request = try request(as: format)
    let client = socket.client
    let job = Task {
      let progress = GenerateProgress()
      defer { progress.end() }
      return try await client.generate(request) { progress.show($0) }
    }
    // Hanging up is how a job is cancelled.
    let interrupt = onInterrupt { job.cancel() }
    defer { interrupt.cancel() }
    let reply = try await job.value
    try report(reply, paths: try write(reply.pictures))
  }

  /// Checks what can be checked before the daemon works for nothing.
  private func outputFormat() throws -> PictureFormat {
    guard let format = PictureFormat(path: output) else {
      throw InversionError(.invalidArgument, "'\(output)': give a file that ends in .webp, .png or .jpg")
    }
    let folder = URL(fileURLWithPath: output).deletingLastPathComponent().path
    guard access(folder, W_OK | X_OK) == 0 else {
      throw InversionError(
        .fileUnavailable, "'\(output)': its folder cannot be written: \(String(cString: strerror(errno)))")
    }
    if format == .jpeg && quality == .lossless {
      throw InversionError(.invalidArgument, "--quality lossless: JPEG cannot be; write .webp or .png")
    }
    return format
  }

  private func request(as format: PictureFormat) throws -> GenerateRequest {
    var request = GenerateRequest(prompt: prompt)
    request.model = model
    request.negativePrompt = negative
    request.promptSyntax = promptSyntax
    request.steps = steps
    request.guidanceScale = guidance
    request.seed = seed
    request.width = size?.width
    request.height = size?.height
    request.sampler = sampler
    request.scheduler = scheduler
    (request.tgate, request.deepcache, request.deepcacheDepth) = (tgate, deepcache, deepcacheDepth)
    request.rng = rng
    request.subseed = subseed
    request.subseedStrength = subseedStrength
    request.count = count
    request.clipSkip = clipSkip
    request.initImage = try from.map(pictureFile)
    request.strength = strength
    request.mask = try mask.map(pictureFile)
    request.strict = strict
    request.format = format.rawValue
    if case .lossy(let value) = quality { request.quality = value }
    return request
  }

  private func pictureFile(_ path: String) throws -> PictureFile {
    PictureFile(try readFile(path: path, limit: PictureLimits().bytes))
  }

  private func write(_ pictures: [PictureReply]) throws -> [String] {
    try pictures.enumerated().map { i, picture in
      let path = pictures.count == 1 ? output : numbered(i + 1)
      try AtomicFile.write([UInt8](picture.data), path: path)
      return path
    }
  }

  /// 'a/out.webp' -> 'a/out-1.webp'
  private func numbered(_ number: Int) -> String {
    guard let dot = output.lastIndex(of: ".") else { return "\(output)-\(number)" }
    return "\(output[..<dot])-\(number)\(output[dot...])"
  }

  private func report(_ reply: GenerateReply, paths: [String]) throws {
    let pictures = zip(paths, reply.pictures).map { path, picture in
      GeneratedFile(file: path, seed: picture.seed, width: picture.width, height: picture.height)
    }
    let result = GeneratedFiles(files: pictures, embeddings: reply.embeddings, timings: reply.timings)
    try listing.show(result, rows: pictures.map { [$0.file, "\($0.width)x\($0.height)", "seed \($0.seed)"] })
    for name in reply.embeddings.unused { note("note: '\(name.name)' is not used: \(name.reason)") }
  }
}

/// What `inversion generate --format json` prints.
private struct GeneratedFiles: Encodable {
  let files: [GeneratedFile]
  let embeddings: EmbeddingUse
  let timings: Timings
}

private struct GeneratedFile: Encodable {
  let file: String
  let seed: UInt64
  let width: Int
  let height: Int
}

/// Calls `body` on Ctrl-C instead of ending the process, until the source is cancelled.
private func onInterrupt(_ body: @escaping @Sendable () -> Void) -> any DispatchSourceSignal {
  signal(SIGINT, SIG_IGN)
  let source = DispatchSource.makeSignalSource(signal: SIGINT)
  source.setEventHandler(handler: body)
  source.activate()
  return source
}
