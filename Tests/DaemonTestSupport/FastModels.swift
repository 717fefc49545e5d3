import Daemon
import Errors
import Synchronization

/// Fast models of several widths, with a count of how often each was loaded.
public final class FastModels: ModelCatalog {
  private let widths: [String: Int]
  private let gate: StepGate?
  private let loads = Mutex<[String]>([])

  public init(_ widths: [String: Int] = ["fast": 4], gate: StepGate? = nil) {
    self.widths = widths
    self.gate = gate
  }

  /// Names in the order in which they were loaded.
  public var loaded: [String] { loads.withLock { $0 } }

  public func names() -> [String] { widths.keys.sorted() }

  public func load(_ name: String) throws -> any PictureMaker {
    guard let width = widths[name] else { throw InversionError(.notFound, "'\(name)': no such model") }
    loads.withLock { $0.append(name) }
    return FastMaker(gate: gate, name: name, embeddingWidth: width)
  }
}
