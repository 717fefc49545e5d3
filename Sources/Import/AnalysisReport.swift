import Models

/// What an analysis found. As a file it is a plan that an import takes, with the measurements beside it.
public struct AnalysisReport: Sendable, Encodable {
  public struct Layer: Sendable, Encodable {
    public let network: Network
    public let layer: String
    /// Of the layer's own output, in dB.
    public let own: Double
    /// Of the network's output, in dB.
    public let whole: Double?
  }

  public let model: String
  public let steps: Int
  public let prompts: [String]
  /// In dB.
  public let threshold: Double
  public let layers: [Layer]
  /// Of each network's output with the proposed plan, in dB.
  public var networks: [String: Double] = [:]
  public let plan: PlanFile

  private enum CodingKeys: String, CodingKey {
    case format, version, precision, model, steps, prompts, threshold, layers, networks
  }

  init(model: String, settings: PrecisionAnalysis.Settings, layers: [Layer]) {
    self.model = model
    self.layers = layers
    steps = settings.steps
    prompts = AnalysisInputs.prompts
    threshold = settings.whole ? settings.wholeThreshold : settings.threshold
    var precision: [String: [String: LayerPrecision]] = [:]
    for row in layers {
      let isSafe = settings.whole ? (row.whole ?? .infinity) >= settings.wholeThreshold : row.own >= settings.threshold
      let isKept = ModelPlan.keeps(row.network, row.layer)
      precision[row.network.rawValue, default: [:]][row.layer] = isSafe && !isKept ? .int8 : .f16
    }
    plan = PlanFile(precision: precision)
  }

  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: CodingKeys.self)
    try keys.encode(plan.format, forKey: .format)
    try keys.encode(plan.version, forKey: .version)
    try keys.encode(plan.precision, forKey: .precision)
    try keys.encode(model, forKey: .model)
    try keys.encode(steps, forKey: .steps)
    try keys.encode(prompts, forKey: .prompts)
    try keys.encode(threshold, forKey: .threshold)
    try keys.encode(layers, forKey: .layers)
    try keys.encode(networks, forKey: .networks)
  }

  public func json() throws -> [UInt8] { try PlanFile.encoded(self) }
}
