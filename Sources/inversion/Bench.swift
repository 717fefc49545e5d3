import ArgumentParser
import Errors
import Foundation
import Import
import Kernels
import Measurement
import Models

struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure what this machine makes of a model: a step, a picture, and what limits them.",
    usage: "inversion bench [<options>]",
    discussion: "Stop other work first, and the daemon: a busy machine measures itself.")

  @OptionGroup var model: ModelOption

  @Option(help: "Side of the picture in pixels. By default the model's own.")
  var size: Int?

  @Option(help: "Steps of the picture that is reckoned up.")
  var steps = 20

  @Option(help: "Threads. By default one a processor.")
  var threads: Int?

  @Option(help: "Weights and activations: f32, f16 or bf16 (weights), int8. A model package has its own.")
  var precision = LayerPrecision.int8

  @OptionGroup var memory: MemoryOption
  @OptionGroup var listing: ListingOption

  func run() throws {
    guard steps > 0, threads.map({ (1...1024).contains($0) }) ?? true else {
      throw InversionError(.invalidArgument, "--steps must be 1 or more, --threads 1 to 1024")
    }
    if let threads { Parallel.threads = threads }
    let path = try model.folder()
    let model = try DiffusionModel(path: path, parts: .decoder, plan: ModelPlan(precision))
    let size = size ?? model.nativeSize
    guard size > 0, size <= 2048, size % model.sizeMultiple == 0 else {
      throw InversionError(
        .invalidArgument, "--size '\(size)': '\(model.name)' makes multiples of \(model.sizeMultiple) up to 2048")
    }
    let others = OtherWork()
    let times = try ModelMeasurement(model, size: size, budget: memory.budget()).picture(runs: 3)
    let report = BenchReport(
      model.name, plan: plan(of: path), times, HostCeilings.measure(), otherWork: others.share(), steps: steps)
    try listing.show(report, rows: report.rows)
  }

  /// How many layers have which precision, of a package; of another model, what it is loaded in.
  private func plan(of path: String) -> String {
    let place = URL(filePath: path).standardizedFileURL
    let models = ModelsFolder(path: place.deletingLastPathComponent().path)
    if let package = try? ModelLibrary(models).show(place.lastPathComponent) {
      let layers = package.layers.values.reduce(into: [:]) { $0.merge($1, uniquingKeysWith: +) }
      return "\(readable(layers: layers)), the package's own"
    }
    return "\(precision.rawValue), not a package"
  }
}

/// What `inversion bench` found, in seconds and bytes.
struct BenchReport: Encodable {
  let model: String
  let plan: String
  let size: Int
  let threads = Parallel.threads
  let instructionSet = "\(activeInstructionSet)"
  let int8Kernel = int8KernelName
  let textSeconds: Double
  let stepSeconds: Double
  let decodingSeconds: Double
  let steps: Int
  let pictureSeconds: Double
  let peakBytes: Int
  /// Of a step's time, what its int8 products would take at the machine's best; what reading their weights once would.
  let arithmeticShare: Double
  let weightShare: Double
  let int8OperationsPerSecond: Double
  let readBytesPerSecond: Double
  /// What other programs took of all processors meanwhile, 0 to 1; nil where the system does not tell.
  let otherWorkShare: Double?

  init(
    _ model: String, plan: String, _ times: PictureTimes, _ ceilings: HostCeilings, otherWork: Double?, steps: Int
  ) {
    self.model = model
    self.plan = plan
    self.steps = steps
    otherWorkShare = otherWork
    size = times.size
    (textSeconds, stepSeconds, decodingSeconds) = (times.text, times.step, times.decoding)
    pictureSeconds = times.picture(steps: steps)
    peakBytes = times.peakBytes
    int8OperationsPerSecond = ceilings.int8OperationsPerSecond
    readBytesPerSecond = ceilings.readBytesPerSecond
    arithmeticShare = Double(times.int8Operations) / ceilings.int8OperationsPerSecond / times.step
    weightShare = Double(times.int8WeightBytes) / ceilings.readBytesPerSecond / times.step
  }

  /// In words, what would help.
  var limit: String {
    let half = 0.5
    if arithmeticShare == 0 { return "nothing is in int8: '--precision int8', or a model package, is faster" }
    if arithmeticShare >= half { return "int8 arithmetic: more or faster cores help" }
    if weightShare >= half { return "reading the weights: faster memory helps, more cores do not" }
    return "neither arithmetic nor memory alone: small layers, attention and norms; other work on the machine"
  }

  var rows: [[String]] {
    func seconds(_ value: Double) -> String { String(format: value < 1 ? "%.3f s" : "%.2f s", value) }
    func percent(_ share: Double) -> String { String(format: "%.0f %%", 100 * share) }
    var rows = [
      ["host", "\(instructionSet), \(threads) threads, int8 kernel \(int8Kernel)"],
      ["model", "\(model), \(size) x \(size)"], ["plan", plan],
      ["both prompts", seconds(textSeconds)], ["a guided step", seconds(stepSeconds)],
      ["decoding", seconds(decodingSeconds)], ["a picture of \(steps) steps", seconds(pictureSeconds)],
      ["peak memory", readable(bytes: peakBytes)],
      [
        "int8 products",
        "\(percent(arithmeticShare)) of a step at this machine's "
          + String(format: "%.0f Gop/s", int8OperationsPerSecond / 1e9),
      ],
      [
        "int8 weights",
        "\(percent(weightShare)) of a step at this machine's " + String(format: "%.0f GB/s", readBytesPerSecond / 1e9),
      ],
      ["limited by", limit],
    ]
    let disturbing = 0.05
    if let otherWorkShare, otherWorkShare > disturbing {
      let told = "took \(percent(otherWorkShare)) of the processors meanwhile: measure again when idle"
      rows.append(["other programs", told])
    }
    return rows
  }
}
