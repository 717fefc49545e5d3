import ArgumentParser
import Errors
import Files
import Foundation
import Import

struct ModelsAnalyze: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "analyze", abstract: "Measure what int8 costs each layer of a model, and propose a plan.",
    usage: "inversion models analyze [<options>] <source>",
    discussion: """
      Two prompts are drawn from seeded noise in f32; each layer is computed once more in int8 on the same input, and \
      the power of its output over that of the difference is shown in decibels. Layers below the threshold stay f16 in \
      the plan that '--out' writes and 'inversion models import --plan' takes.
      """)

  @Argument(help: ArgumentHelp("A diffusers folder or a checkpoint file.", valueName: "source"))
  var source: String

  @Option(help: ArgumentHelp("Write the plan there, with the measurements.", valueName: "file"))
  var out: String?

  @Option(help: "Denoising steps for each prompt.")
  var steps = PrecisionAnalysis.Settings().steps

  @Flag(help: "Measure also the network's output for each layer: as many passes as it has layers.")
  var whole = false

  @Option(
    help: ArgumentHelp(
      "Least signal to noise of an int8 layer. By default \(Int(PrecisionAnalysis.defaultThreshold)); with --whole, of "
        + "the network's output, \(Int(PrecisionAnalysis.defaultWholeThreshold)).", valueName: "dB"))
  var threshold: Double?

  @OptionGroup var listing: ListingOption

  func run() throws {
    guard steps > 0 else { throw InversionError(.invalidArgument, "'\(steps)' steps: give 1 or more") }
    var settings = PrecisionAnalysis.Settings()
    (settings.steps, settings.whole) = (steps, whole)
    if let threshold { (settings.threshold, settings.wholeThreshold) = (threshold, threshold) }
    let isTerminal = isatty(STDERR_FILENO) == 1
    let report = try PrecisionAnalysis(source: source, settings: settings).run { step in
      if isTerminal { FileHandle.standardError.write(Data("\r\u{1B}[K\(step)".utf8)) }
    }
    if isTerminal { FileHandle.standardError.write(Data("\r\u{1B}[K".utf8)) }
    if let out { try AtomicFile.write(report.json(), path: out) }
    try listing.show(report, rows: rows(report))
  }

  private func rows(_ report: AnalysisReport) -> [[String]] {
    let layers = report.layers.map { row in
      [
        row.network.rawValue, row.layer, decibels(row.own), row.whole.map(decibels) ?? "-",
        report.plan.precision[row.network.rawValue]?[row.layer]?.rawValue ?? "-",
      ]
    }
    let networks = report.networks.sorted { $0.key < $1.key }.map {
      [$0.key, "with this plan", "", decibels($0.value)]
    }
    return [["NETWORK", "LAYER", "OWN", "OUTPUT", "PLAN"]] + layers + networks
  }

  private func decibels(_ value: Double) -> String { String(format: "%.1f", value) }
}
