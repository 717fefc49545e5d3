/// Data of the event `queued`, the first of a stream.
public struct QueuedEvent: Codable, Sendable, Equatable {
  public let job: String
  /// Jobs that go before it.
  public let ahead: Int

  public init(job: String, ahead: Int) {
    self.job = job
    self.ahead = ahead
  }
}

/// Data of the event `started`: the prompts are encoded and the embeddings known.
public struct StartedEvent: Codable, Sendable, Equatable {
  public let job: String
  public let steps: Int
  public let seed: UInt64
  public let embeddings: EmbeddingUse

  public init(job: String, steps: Int, seed: UInt64, embeddings: EmbeddingUse) {
    self.job = job
    self.steps = steps
    self.seed = seed
    self.embeddings = embeddings
  }
}

/// Data of the event `progress`: a denoising step is done.
public struct ProgressEvent: Codable, Sendable, Equatable {
  public let job: String
  /// 1-based.
  public let step: Int
  public let steps: Int
  public let elapsedMilliseconds: Double

  public init(job: String, step: Int, steps: Int, elapsedMilliseconds: Double) {
    self.job = job
    self.step = step
    self.steps = steps
    self.elapsedMilliseconds = elapsedMilliseconds
  }

  enum CodingKeys: String, CodingKey {
    case job, step, steps
    case elapsedMilliseconds = "elapsed_ms"
  }
}

/// The events of a stream, by the name in their `event:` line; `result` and `error` are the last of it.
public enum GenerateEvent: Sendable, Equatable {
  case queued(QueuedEvent)
  case started(StartedEvent)
  case progress(ProgressEvent)
  /// `GenerateReply`
  case result(GenerateReply)
  case error(ErrorReply)

  /// The name in the `event:` line.
  public var name: String {
    switch self {
    case .queued: "queued"
    case .started: "started"
    case .progress: "progress"
    case .result: "result"
    case .error: "error"
    }
  }
}
