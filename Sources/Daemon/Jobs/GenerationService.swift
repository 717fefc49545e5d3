import Embeddings
import Errors
import NIOPosix
import Synchronization
import Wire

/// Runs jobs one at a time: a picture takes all cores there are, and two at once would take twice the memory.
public actor GenerationService {
  /// Numbers of jobs that may wait, behind the one that runs.
  public struct Limits: Sendable {
    public var waitingPerUser = 8
    public var waiting = 32

    public init() {}
  }

  private enum State {
    case open
    /// Finishes its jobs and takes no new ones.
    case draining(waiters: [CheckedContinuation<Void, Never>])
  }

  public nonisolated let maker: any PictureMaker
  public nonisolated let limits: Limits
  /// The denoiser blocks for seconds: a thread of its own keeps the routes answering.
  private let thread = NIOThreadPool(numberOfThreads: 1)
  private var state = State.open
  private var queue: FairQueue<Job>
  private var running: Job?
  private var jobCount = 0
  private let progress = Counter()

  public init(maker: any PictureMaker, limits: Limits = Limits()) {
    self.maker = maker
    self.limits = limits
    self.queue = FairQueue(limitPerOwner: limits.waitingPerUser, limit: limits.waiting)
    thread.start()
  }

  deinit { thread.shutdownGracefully { _ in } }

  /// Queues an order. Read the job's `events`, and `cancel` it when nobody wants the answer any more.
  /// - Throws: `.busy` when the queue is full or the daemon is stopping.
  public func submit(
    _ order: Order, embeddings: EmbeddingTable, owner: UInt32 = 0
  ) throws(InversionError) -> Job {
    guard case .open = state else { throw InversionError(.busy, "the daemon is stopping; try again later") }
    jobCount += 1
    let job = Job(id: "\(jobCount)", owner: owner, order: order, embeddings: embeddings) { [weak self] job in
      Task { [weak self] in await self?.dropIfWaiting(job) }
    }
    guard queue.append(job, owner: owner) else {
      throw InversionError(.busy, "\(queue.count) jobs are waiting already; try again later")
    }
    let ahead = (running == nil ? 0 : 1) + (queue.inOrder.firstIndex { $0 === job } ?? 0)
    job.send(.queued(QueuedEvent(job: job.id, ahead: ahead)))
    runNextIfIdle()
    return job
  }

  /// Cancels the job of this id.
  /// - Throws: `.notFound` when no such job waits or runs.
  public func cancel(_ id: String) throws(InversionError) {
    guard let job = ([running].compactMap { $0 } + queue.inOrder).first(where: { $0.id == id }) else {
      throw InversionError(.notFound, "'\(id)': no such job waits or runs")
    }
    job.cancel()
  }

  /// Ends the denoising of the running job, if it is this user's; its pictures are answered as they are by then.
  public func interrupt(owner: UInt32) {
    if let running, running.owner == owner { running.interrupt() }
  }

  public func cancelAll() {
    for job in queue.inOrder { job.cancel() }
    running?.cancel()
  }

  /// Takes no new jobs from now on, and returns when the last one is done; after `limit` the rest is cancelled.
  public func drain(limit: Duration) async {
    let timer = Task {
      try await Task.sleep(for: limit)
      cancelAll()
    }
    await lastJob()
    timer.cancel()
  }

  private func lastJob() async {
    await withCheckedContinuation { continuation in
      if case .draining(let waiters) = state {
        state = .draining(waiters: waiters + [continuation])
      } else {
        state = .draining(waiters: [continuation])
      }
      resumeDrainIfDone()
    }
  }

  public var isDraining: Bool {
    if case .draining = state { true } else { false }
  }

  /// Waiting jobs, and the one that runs.
  public var load: (waiting: Int, current: StatusReply.CurrentJob?) {
    (
      queue.count,
      running.map { StatusReply.CurrentJob(job: $0.id, step: $0.step, steps: $0.steps) }
    )
  }

  /// Grows with each step of any job; what the watchdog looks at.
  public nonisolated var progressCount: Int { progress.value.load(ordering: .relaxed) }

  private func runNextIfIdle() {
    guard running == nil, let job = queue.popFirst() else { return }
    running = job
    Task { await run(job) }
  }

  private func run(_ job: Job) async {
    let result: Result<GenerateReply, InversionError>
    do {
      let reply = try await thread.runIfActive { [maker, progress] in
        try job.perform(with: maker) { progress.value.add(1, ordering: .relaxed) }
      }
      result = .success(reply)
    } catch let error as InversionError {
      result = .failure(error)
    } catch {
      result = .failure(InversionError(.internal, "job '\(job.id)': \(error)"))
    }
    job.finish(result)
    running = nil
    runNextIfIdle()
    resumeDrainIfDone()
  }

  private func dropIfWaiting(_ job: Job) {
    if queue.remove(where: { $0 === job }) != nil {
      job.finish(.failure(Job.cancellation(job.id)))
      resumeDrainIfDone()
    }
  }

  private func resumeDrainIfDone() {
    guard case .draining(let waiters) = state, running == nil, queue.isEmpty else { return }
    state = .draining(waiters: [])
    for waiter in waiters { waiter.resume() }
  }
}

/// A number that threads share.
private final class Counter: Sendable {
  let value = Atomic(0)
}
