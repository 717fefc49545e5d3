import Errors
import Synchronization

/// What has happened since the start, for `GET /metrics`.
public final class Metrics: Sendable {
  struct Counts: Sendable {
    /// Jobs by how they ended: `done`, or the code of the error.
    var jobs: [String: Int] = [:]
    var pictures = 0
    var steps = 0
    var jobSeconds = 0.0
    /// Answers by status.
    var answers: [Int: Int] = [:]
    var clientsLeft = 0
  }

  private let counts = Mutex(Counts())

  public init() {}

  var current: Counts { counts.withLock { $0 } }

  public func add(_ job: JobRecord) {
    counts.withLock { counts in
      counts.jobs[job.failure?.code.rawValue ?? "done", default: 0] += 1
      counts.pictures += job.pictures
      counts.steps += job.steps
      counts.jobSeconds += job.duration / .seconds(1)
    }
  }

  func addAnswer(status: Int, clientLeft: Bool) {
    counts.withLock { counts in
      counts.answers[status, default: 0] += 1
      counts.clientsLeft += clientLeft ? 1 : 0
    }
  }
}

/// Prometheus' text format, version 0.0.4.
struct PrometheusText {
  private(set) var text = ""

  enum Kind: String { case counter, gauge }

  /// A metric with a value for each label; `labels` are `name="value"` or empty.
  mutating func add(_ name: String, _ kind: Kind, _ help: String, _ values: [(labels: String, value: Double)]) {
    text += "# HELP inversion_\(name) \(help)\n# TYPE inversion_\(name) \(kind.rawValue)\n"
    for (labels, value) in values {
      let number = value == value.rounded() && abs(value) < 1e15 ? "\(Int(value))" : "\(value)"
      text += "inversion_\(name)\(labels.isEmpty ? "" : "{\(labels)}") \(number)\n"
    }
  }

  mutating func add(_ name: String, _ kind: Kind, _ help: String, _ value: Double) {
    add(name, kind, help, [("", value)])
  }
}
