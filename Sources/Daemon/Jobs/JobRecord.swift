import Errors
import Glibc
import Logging
import Wire

/// A job that has ended, for the log and the figures.
public struct JobRecord: Sendable {
  public let job: String
  public let user: UInt32
  public let model: String
  /// Names of the embeddings that were used.
  public let embeddings: [String]
  public let pictures: Int
  public let steps: Int
  /// From its arrival.
  public let duration: Duration
  /// Nil for success.
  public let failure: InversionError?

  init(_ job: Job, _ result: Result<GenerateReply, InversionError>) {
    self.job = job.id
    user = job.owner
    model = job.model
    steps = job.step
    duration = job.age
    switch result {
    case .success(let reply):
      (embeddings, pictures) = (reply.embeddings.used.map(\.name), reply.pictures.count)
      failure = nil
    case .failure(let error):
      (embeddings, pictures, failure) = ([], 0, error)
    }
  }

  /// One entry of the log, a field each.
  func write(to logger: Logger) {
    var fields: Logger.Metadata = [
      "job": "\(job)", "uid": "\(user)", "steps": "\(steps)", "ms": "\(Int(duration / .milliseconds(1)))",
      "peak_bytes": "\(peakBytes())", "model": "\(model)",
    ]
    if let failure {
      fields["error"] = "\(failure.code.rawValue)"
    } else {
      fields["pictures"] = "\(pictures)"
      fields["embeddings"] = "\(embeddings.joined(separator: ","))"
    }
    logger.info("job", metadata: fields)
  }
}

/// The largest resident memory that this process has had.
func peakBytes() -> Int {
  var usage = rusage()
  getrusage(Int32(RUSAGE_SELF.rawValue), &usage)
  return usage.ru_maxrss << 10  // in KiB
}
