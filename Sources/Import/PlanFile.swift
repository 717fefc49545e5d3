import Errors
import Files
import FoundationEssentials
import Models

/// A precision plan as a file: for each network the precision of layers by path, `"*"` for all that are not named.
public struct PlanFile: Codable, Sendable {
  static let format = "inversion-plan"
  static let version = 1

  public var format = Self.format
  public var version = Self.version
  /// Network, layer (or the beginning or the end of its path, or `*`), precision.
  public var precision: [String: [String: LayerPrecision]]

  public init(precision: [String: [String: LayerPrecision]]) { self.precision = precision }

  /// - Throws: `fileUnavailable`; `badFile` naming the key that is wrong.
  public init(path: String) throws {
    func refuse(_ reason: String) -> InversionError {
      InversionError(.badFile, "'\(path)': \(reason); 'inversion models analyze --out' writes a plan")
    }
    do {
      self = try JSONDecoder().decode(Self.self, from: Data(readFile(path: path, limit: 16 << 20)))
    } catch let error as DecodingError {
      throw refuse(decodingReason(error))
    }
    guard format == Self.format, version == Self.version else { throw refuse("not a plan of version \(Self.version)") }
    if let other = precision.keys.first(where: { Network(rawValue: $0) == nil }) {
      throw refuse("no network is called '\(other)'")
    }
  }

  /// The plan, with `fallback` for the networks that the file does not name.
  public func plan(or fallback: ModelPlan = .int8) -> ModelPlan {
    var plan = fallback
    for network in Network.allCases {
      guard var layers = precision[network.rawValue] else { continue }
      let rest = layers.removeValue(forKey: "*") ?? .f16
      plan[network] = PrecisionPlan(rest, except: layers)
    }
    return plan
  }

  public func json() throws -> [UInt8] { try Self.encoded(self) }

  static func encoded(_ file: some Encodable) throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return [UInt8](try encoder.encode(file)) + [UInt8(ascii: "\n")]
  }
}

extension ModelPlan {
  /// The precision of every layer of a model.
  /// - Throws: `badModel` for an exception that is no layer's: a plan for another model, or a misspelt path.
  func resolved(for catalogue: ModelCatalogue) throws -> [Network: [String: LayerPrecision]] {
    var resolved: [Network: [String: LayerPrecision]] = [:]
    for (network, items) in catalogue.items {
      let plan = self[network]
      var unused = Set(plan.exceptions.keys)
      var layers: [String: LayerPrecision] = [:]
      for case .layer(let path, _) in items {
        layers[path] = plan.precision(of: path)
        unused = unused.filter { !PrecisionPlan.matches($0, path) }
      }
      if let other = unused.min(), !ModelPlan.isBuiltIn(plan) {
        throw InversionError(
          .badModel,
          "'\(catalogue.source.name)': the plan names '\(network.rawValue).\(other)', and no layer is called so; "
            + "make a plan for this model with 'inversion models analyze'")
      }
      resolved[network] = layers
    }
    return resolved
  }

  /// Those that name layers which not every model has.
  private static func isBuiltIn(_ plan: PrecisionPlan) -> Bool {
    Network.allCases.contains { ModelPlan.int8[$0] == plan || ModelPlan.full[$0] == plan }
  }
}
