import Foundation
import Kernels
import Measurement
import Models

/// One measurement as a line of JSON, which `Benchmarks/peers` and `Benchmarks/memory.py` read.
struct Row {
  let path: String
  var size = 512
  var runs = 3
  var budget = MemoryBudget.unlimited
  let isTraining: Bool
  let profiles: Bool

  init(arguments: [String]) {
    path = arguments[1]
    for (flag, text) in zip(arguments, arguments.dropFirst()) {
      guard let value = Int(text) else { continue }
      switch flag {
      case "--size": size = value
      case "--runs": runs = value
      case "--threads": Parallel.threads = value
      case "--memory-budget": budget = MemoryBudget(bytes: value * 1_000_000)
      default: break
      }
    }
    isTraining = arguments.contains("--training")
    profiles = arguments.contains("--profile")
  }

  func print() throws {
    let model = try DiffusionModel(path: path, parts: .decoder, plan: .int8)
    let measurement = ModelMeasurement(model, size: size, budget: budget)
    var row: [String: any Sendable] = ["engine": "inversion", "size": size, "threads": Parallel.threads]
    if isTraining {
      row["step_s"] = rounded(try measurement.trainingStep(runs: runs))
    } else {
      let times = try measurement.picture(runs: runs)
      row["text_s"] = rounded(times.text)
      row["step_s"] = rounded(times.step)
      row["vae_s"] = rounded(times.decoding)
      row["step_peak_mb"] = times.stepPeakBytes / 1_000_000
      row["int8_gop"] = Double(times.int8Operations) / 1e9
    }
    row["peak_mb"] = peakResidentBytes / 1_000_000
    row["activations_mb"] = measurement.activationPeakBytes / 1_000_000
    let json = try JSONSerialization.data(withJSONObject: row, options: [.sortedKeys])
    Swift.print(String(decoding: json, as: UTF8.self))
    guard profiles else { return }
    for (part, seconds) in try measurement.profile() { Swift.print(part, rounded(seconds * 1000), "ms") }
  }

  private func rounded(_ seconds: Double) -> Double { (seconds * 1e4).rounded() / 1e4 }
}
