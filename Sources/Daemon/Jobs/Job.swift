import Embeddings
import Errors
import FoundationEssentials
import Images
import Synchronization
import Wire

/// One order from its arrival to its end. It carries its snapshot of the embeddings, so that nothing that happens to
/// the store meanwhile changes its pictures.
public final class Job: Sendable {
  public let id: String
  /// The user whose job it is.
  let owner: UInt32
  let order: Order
  let model: String
  /// Nil when its model was not known when it came: then those of its beginning.
  let embeddings: EmbeddingTable?
  /// What happens to it, in order; the last one is `result` or `error`. For one reader.
  public let events: AsyncStream<GenerateEvent>
  private let continuation: AsyncStream<GenerateEvent>.Continuation
  private let cancelled = Atomic(false)
  /// Why it was cancelled, for the error.
  private let reason = Mutex("was cancelled")
  private let interrupted = Atomic(false)
  private let stepsDone = Atomic(0)
  private let stepsPlanned: Atomic<Int>
  private let submitted = ContinuousClock.now
  private let onCancel: @Sendable (Job) -> Void

  /// - Parameter onCancel: called by the first `cancel`, on its thread.
  init(
    id: String, owner: UInt32, order: Order, model: String, embeddings: EmbeddingTable?,
    onCancel: @escaping @Sendable (Job) -> Void
  ) {
    self.id = id
    self.owner = owner
    self.order = order
    self.model = model
    self.embeddings = embeddings
    self.onCancel = onCancel
    stepsPlanned = Atomic(order.request.steps)
    // A job has at most some thousand small events and one result: nothing needs to be dropped.
    (events, continuation) = AsyncStream.makeStream()
  }

  /// Ends the job: at once when it waits, after the step in progress when it runs.
  public func cancel() { cancel(because: nil) }

  /// - Parameter why: goes on "job '7' ..." in the error.
  func cancel(because why: String?) {
    if let why { reason.withLock { $0 = why } }
    if !cancelled.exchange(true, ordering: .sequentiallyConsistent) { onCancel(self) }
  }

  /// Ends the denoising after the step in progress; the pictures are what they are by then.
  func interrupt() { interrupted.store(true, ordering: .relaxed) }

  var isCancelled: Bool { cancelled.load(ordering: .sequentiallyConsistent) }

  /// Denoising steps taken so far.
  var step: Int { stepsDone.load(ordering: .relaxed) }

  /// Denoising steps in all: fewer than asked for where a picture is the start.
  var steps: Int { stepsPlanned.load(ordering: .relaxed) }

  func send(_ event: GenerateEvent) { continuation.yield(event) }

  /// Sends the last event.
  func finish(_ result: Result<GenerateReply, InversionError>) {
    switch result {
    case .success(let reply): continuation.yield(.result(reply))
    case .failure(let error): continuation.yield(.error(ErrorReply(error)))
    }
    continuation.finish()
  }

  /// Makes the pictures, on the calling thread, and sends progress.
  /// - Throws: what the model or the picture codec throws; `.cancelled`.
  func perform(
    with maker: any PictureMaker, embeddings: EmbeddingTable, room: Int, onStep: () -> Void
  ) throws -> GenerateReply {
    var watch = Stopwatch(since: submitted)
    let queued = watch.lap()
    try throwIfCancelled()
    let request = order.request
    let pictures: any PicturesInTheMaking = try maker.begin(request, embeddings: embeddings, room: room)
    let use = EmbeddingUse(used: pictures.used, unused: pictures.unused)
    let steps = pictures.steps
    stepsPlanned.store(steps, ordering: .relaxed)
    send(.started(StartedEvent(job: id, steps: steps, seed: request.seed, embeddings: use)))
    let prepare = watch.lap()
    try throwIfCancelled()
    while !interrupted.load(ordering: .relaxed), let step = pictures.next() {
      stepsDone.store(step, ordering: .relaxed)
      onStep()
      send(.progress(ProgressEvent(job: id, step: step, steps: steps, elapsedMilliseconds: watch.elapsed)))
      try throwIfCancelled()
    }
    let denoise = watch.lap()
    let files = try pictures.decode().enumerated().map { i, picture in
      try throwIfCancelled()
      let seed = request.seed(ofPicture: i)
      let infotext = Infotext(
        request: request, picture: i, width: picture.width, height: picture.height, model: maker.modelName,
        used: pictures.used)
      return PictureReply(
        format: order.format.rawValue, width: picture.width, height: picture.height, seed: seed,
        infotext: infotext.text,
        data: Data(
          try picture.encoded(as: order.format, quality: order.quality, parameters: infotext.text)))
    }
    onStep()
    return GenerateReply(
      job: id, model: maker.modelName, pictures: files, seed: request.seed, embeddings: use,
      timings: Timings(queued: queued, prepare: prepare, denoise: denoise, decode: watch.lap()))
  }

  private func throwIfCancelled() throws(InversionError) {
    if isCancelled { throw cancellation }
  }

  var cancellation: InversionError { InversionError(.cancelled, "job '\(id)' \(reason.withLock { $0 })") }

  /// From its arrival until now.
  var age: Duration { .now - submitted }
}

/// Times of consecutive parts, in milliseconds.
private struct Stopwatch {
  private var start: ContinuousClock.Instant

  init(since start: ContinuousClock.Instant) { self.start = start }

  /// Since the last lap.
  var elapsed: Double { (ContinuousClock.now - start) / .milliseconds(1) }

  mutating func lap() -> Double {
    defer { start = .now }
    return elapsed
  }
}
