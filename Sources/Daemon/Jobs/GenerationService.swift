import Embeddings
import Errors
import Measurement
import NIOPosix
import Synchronization
import Wire

/// Runs jobs one at a time: a picture takes all cores there are, and two at once would take twice the memory.
public actor GenerationService {
  /// Numbers of jobs that may wait, behind the one that runs.
  public struct Limits: Sendable {
    public var waitingPerUser = 8
    public var waiting = 32
    /// Pixels times steps of one order, over all its pictures; nil is no limit.
    public var pixelSteps: Int?
    /// Orders that one user may send in a minute; nil is no limit.
    public var requestsPerMinute: Int?
    /// From an order's arrival to its end; nil is no limit.
    public var jobTime: Duration?
    /// A model that nobody asks for goes from memory after this time; nil keeps it.
    public var keepAlive: Duration?

    public init() {}
  }

  private enum State {
    case open
    /// Stops, and takes the jobs of the clients that are still there.
    case draining
    case closed
  }

  public nonisolated let shelf: ModelShelf
  private nonisolated let words: WordStores
  public private(set) var limits: Limits
  /// The denoiser blocks for seconds: a thread of its own keeps the routes answering.
  private let thread = NIOThreadPool(numberOfThreads: 1)
  private var state = State.open
  private var waitersForLastJob: [CheckedContinuation<Void, Never>] = []
  private var queue: FairQueue<Job>
  private var rate: RateLimiter?
  private var running: Job?
  private var jobCount = 0
  /// Waits for the time after which the model goes.
  private var unloading: Task<Void, any Error>?
  private let progress = Counter()
  private let onEnd: @Sendable (JobRecord) -> Void

  /// - Parameter onEnd: is told of each job that has ended.
  public init(
    shelf: ModelShelf, words: WordStores, limits: Limits = Limits(),
    onEnd: @escaping @Sendable (JobRecord) -> Void = { _ in }
  ) {
    self.shelf = shelf
    self.words = words
    self.limits = limits
    self.onEnd = onEnd
    self.rate = limits.requestsPerMinute.map { RateLimiter(perMinute: $0) }
    self.queue = FairQueue(limitPerOwner: limits.waitingPerUser, limit: limits.waiting)
    thread.start()
  }

  deinit { thread.shutdownGracefully { _ in } }

  /// Takes other limits over, for the orders that come from now on.
  public func set(_ limits: Limits) {
    if limits.requestsPerMinute != self.limits.requestsPerMinute {
      rate = limits.requestsPerMinute.map { RateLimiter(perMinute: $0) }
    }
    self.limits = limits
    queue.limit = limits.waiting
    queue.limitPerOwner = limits.waitingPerUser
  }

  /// Queues an order. Read the job's `events`, and `cancel` it when nobody wants the answer any more.
  /// - Throws: `.busy` when the queue is full, the user has asked too often, or the daemon is stopping;
  ///   `.invalidArgument` for an order over the limits; `.notFound` for a model that is not there.
  public func submit(
    _ order: Order, owner: UInt32 = 0
  ) throws(InversionError) -> Job {
    guard state != .closed else { throw InversionError(.busy, "the daemon is stopping; try again later") }
    let model = try shelf.resolve(order.model)
    try check(order, model)
    if let wait = rate?.take(owner) {
      let seconds = Int((wait / .seconds(1)).rounded(.up))
      throw InversionError(
        .busy, "over \(limits.requestsPerMinute ?? 0) requests in a minute; try again in \(seconds) s",
        retryAfter: seconds)
    }
    jobCount += 1
    // The snapshot is taken when the order comes: what its writer saw is what it gets.
    let job = Job(id: "\(jobCount)", owner: owner, order: order, model: model, embeddings: words.table(of: model)) {
      [weak self] job in
      Task { [weak self] in await self?.dropIfWaiting(job) }
    }
    guard queue.append(job, owner: owner) else {
      throw InversionError(.busy, "\(queue.count) jobs are waiting already; try again later")
    }
    let ahead = (running == nil ? 0 : 1) + (queue.inOrder.firstIndex { $0 === job } ?? 0)
    job.send(.queued(QueuedEvent(job: job.id, ahead: ahead)))
    if let limit = limits.jobTime { end(job, after: limit) }
    runNextIfIdle()
    return job
  }

  private func check(_ order: Order, _ model: String) throws(InversionError) {
    guard let limit = limits.pixelSteps else { return }
    let request = order.request
    // Stable Diffusion's own size stands for that of a model that is not known yet.
    let side = shelf.reply(model).nativeSize ?? 512
    let (width, height) = (request.width ?? side, request.height ?? side)
    // The order's own bounds keep the product far below an overflow.
    let work = width * height * request.count * request.steps
    guard work <= limit else {
      throw InversionError(
        .invalidArgument,
        "\(request.count) x \(width)x\(height) pixels x \(request.steps) steps are \(work), "
          + "over the limit of \(limit); ask for less")
    }
  }

  private func end(_ job: Job, after limit: Duration) {
    Task { [weak job] in
      try await Task.sleep(for: limit)
      job?.cancel(because: "took longer than \(Int(limit / .seconds(1))) s, the daemon's limit")
    }
  }

  /// Cancels the job of this id.
  /// - Parameter user: whose jobs may be cancelled; nil for everybody's.
  /// - Throws: `.notFound` when no such job waits or runs; `.notAllowed` when it is another user's.
  public func cancel(_ id: String, by user: UInt32? = nil) throws(InversionError) {
    guard let job = ([running].compactMap { $0 } + queue.inOrder).first(where: { $0.id == id }) else {
      throw InversionError(.notFound, "'\(id)': no such job waits or runs")
    }
    guard user == nil || job.owner == user else {
      throw InversionError(.notAllowed, "job '\(id)' is another user's; only an administrator may cancel it")
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

  /// Says from now on that it stops.
  func beginDrain() { state = .draining }

  /// Cancels all jobs and takes no new ones.
  func endDrain() {
    state = .closed
    cancelAll()
  }

  /// Returns when no job runs or waits.
  func lastJob() async {
    guard hasJobs else { return }
    await withCheckedContinuation { waitersForLastJob.append($0) }
  }

  var hasJobs: Bool { running != nil || !queue.isEmpty }

  var isDraining: Bool { state != .open }

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
      let reply = try await thread.runIfActive { [shelf, words, progress] in
        let maker = try shelf.take(job.model)
        // While nothing else runs, all memory that is left is this job's.
        let room = try Self.room(for: job.order, maker)
        let embeddings = try job.embeddings ?? words.store(of: job.model, maker).table
        return try job.perform(with: maker, embeddings: embeddings, room: room) {
          progress.value.add(1, ordering: .relaxed)
        }
      }
      result = .success(reply)
    } catch let error as InversionError {
      result = .failure(error)
    } catch {
      result = .failure(InversionError(.internal, "job '\(job.id)': \(error)"))
    }
    shelf.touch()
    end(job, result)
    running = nil
    unloadLater()
    runNextIfIdle()
    // A picture's buffers go back to the system while nobody waits for another one.
    if running == nil { shelf.releaseFreed() }
    resumeAfterLastJob()
  }

  /// Who has the answer finds it counted and logged.
  private func end(_ job: Job, _ result: Result<GenerateReply, InversionError>) {
    onEnd(JobRecord(job, result))
    job.finish(result)
  }

  /// Bytes of memory that the job has.
  /// - Throws: `.busy` with the figures, rather than being killed by the kernel.
  private static func room(for order: Order, _ maker: any PictureMaker) throws(InversionError) -> Int {
    let room = MemoryRoom.now()
    let needed = maker.memory(of: order.request, in: room.available)
    guard needed <= room.available else {
      throw InversionError(
        .busy,
        "the request takes about \(needed >> 20) MiB, and \(room.bound) leaves \(room.available >> 20) MiB; ask for "
          + "smaller or fewer pictures, or try again later")
    }
    return room.available
  }

  private func unloadLater() {
    unloading?.cancel()
    guard let time = limits.keepAlive else { return }
    unloading = Task { [weak self] in
      try await Task.sleep(for: time)
      await self?.unloadIfIdle()
    }
  }

  /// Takes the model out of memory when no job runs or waits.
  public func unloadIfIdle() async {
    guard !hasJobs else { return }
    shelf.unload()
  }

  private func dropIfWaiting(_ job: Job) {
    if queue.remove(where: { $0 === job }) != nil {
      end(job, .failure(job.cancellation))
      resumeAfterLastJob()
    }
  }

  private func resumeAfterLastJob() {
    guard !hasJobs else { return }
    for waiter in waitersForLastJob { waiter.resume() }
    waitersForLastJob = []
  }
}

/// A number that threads share.
private final class Counter: Sendable {
  let value = Atomic(0)
}
