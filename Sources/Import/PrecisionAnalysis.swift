import Errors
import Foundation
import Models
import Ops
import Synchronization

/// Measures what int8 costs each layer of a model, and proposes a precision plan.
///
/// Layer by layer, each on the inputs that a real denoising gives it: the layer's output in int8 against its output in
/// f32. With `whole`, also the network's output when this layer alone runs in int8.
public struct PrecisionAnalysis {
  public struct Settings: Sendable {
    /// Denoising steps for each of two prompts.
    public var steps = 4
    /// Whether the network's output is measured for each layer: as many passes as it has layers.
    public var whole = false
    /// Layers whose own signal to noise is below stay f16.
    public var threshold = PrecisionAnalysis.defaultThreshold
    /// The same for the network's output, with `whole`.
    public var wholeThreshold = PrecisionAnalysis.defaultWholeThreshold

    public init() {}
  }

  /// In dB.
  public static let defaultThreshold = 28.0
  public static let defaultWholeThreshold = 40.0

  private let settings: Settings
  private let inputs: AnalysisInputs
  private let tape: Tape
  private let layers: [Network: QuantisedLayers]

  /// - Throws: `fileUnavailable`, `badFile`, `badModel`, as loading the model does.
  public init(source path: String, settings: Settings = Settings()) throws {
    let source = try openModel(path: path)
    if source is ModelPackage { throw notDense(source.name) }
    let indices = Mutex<[Network: LayerIndex]>([:])
    let indexed = WrappedSource(source) { network, layers in
      let index = LayerIndex(layers)
      indices.withLock { $0[network] = index }
      return index
    }
    let model = try DiffusionModel(indexed, parts: [.encoder, .decoder])
    self.settings = settings
    tape = Tape(recording: false)
    inputs = try AnalysisInputs(model: model, tape: tape)
    layers = indices.withLock { $0.mapValues { QuantisedLayers($0.weights) } }
  }

  /// - Parameter progress: told what is measured.
  public func run(progress: (String) -> Void = { _ in }) throws -> AnalysisReport {
    var passes: [Network: [() -> [Float]]] = [:]
    var expected: [Network: [[Float]]] = [:]
    for prompt in AnalysisInputs.prompts.indices {
      progress("prompt \(prompt + 1) of \(AnalysisInputs.prompts.count)")
      let run = try measure(prompt)
      for (network, pass, output) in run {
        passes[network, default: []].append(pass)
        expected[network, default: []].append(output)
      }
    }
    tape.layerObserver = nil
    var rows: [AnalysisReport.Layer] = []
    for network in Network.allCases {
      guard let quantised = layers[network] else { continue }
      for (index, path) in quantised.order.enumerated() {
        if settings.whole { progress("\(network.rawValue) \(index + 1) of \(quantised.order.count)") }
        let whole = settings.whole ? output(network, passes, expected) { $0 == path } : nil
        rows.append(
          AnalysisReport.Layer(
            network: network, layer: path, own: quantised.own[path]?.decibels ?? 0, whole: whole))
      }
    }
    var report = AnalysisReport(model: inputs.model.name, settings: settings, layers: rows)
    for network in Network.allCases {
      let plan = report.plan.plan()[network]
      report.networks[network.rawValue] = output(network, passes, expected) { plan.precision(of: $0) == .int8 }
    }
    return report
  }

  /// Measures all layers with one prompt. Returns for each pass of a network how to make it again, and its output.
  private func measure(_ prompt: Int) throws -> [(Network, () -> [Float], [Float])] {
    let inputs = inputs
    var made: [(Network, () -> [Float], [Float])] = []
    layers[.textEncoder]?.measure(on: tape)
    let states = inputs.states(prompt: prompt)
    made.append((.textEncoder, { inputs.states(prompt: prompt).floats }, states.floats))
    layers[.unet]?.measure(on: tape)
    let latents = try inputs.denoise(prompt: prompt, steps: settings.steps, states) { step, prediction in
      made.append((.unet, { inputs.prediction(step, states) }, prediction))
    }
    layers[.vae]?.measure(on: tape)
    let picture = inputs.picture(latents)
    made.append((.vae, { inputs.picture(latents).floats }, picture.floats))
    let moments = inputs.model.autoencoder.encode(picture, on: tape)
    made.append((.vae, { inputs.model.autoencoder.encode(picture, on: inputs.tape).floats }, moments.floats))
    return made
  }

  /// Signal to noise of a network's output in dB when the chosen layers run in int8; nil when none of them is used.
  private func output(
    _ network: Network, _ passes: [Network: [() -> [Float]]], _ expected: [Network: [[Float]]],
    where isChosen: @escaping (String) -> Bool
  ) -> Double? {
    layers[network]?.replace(on: tape, where: isChosen)
    defer { tape.layerObserver = nil }
    var sum = SignalToNoise()
    for (pass, output) in zip(passes[network] ?? [], expected[network] ?? []) {
      let actual = pass()
      // A pass that the layer takes no part in, as of the other half of the VAE, says nothing of it.
      if actual != output { sum.add(actual, expected: output) }
    }
    return sum.decibels
  }
}
