import Glibc
import Kernels
import Models
import Ops

/// Times the parts of one guided picture in the model's int8 plan.
struct PictureTimes {
  let path: String
  var size = 512
  var runs = 3
  /// Times a training step instead.
  var trains = false
  var budget = MemoryBudget.unlimited
  /// Prints how long each named part of the U-Net takes.
  var profiles = false

  init(arguments: [String]) throws {
    path = arguments[1]
    for (flag, value) in zip(arguments, arguments.dropFirst()) {
      if flag == "--size", let value = Int(value) { size = value }
      if flag == "--runs", let value = Int(value) { runs = value }
      if flag == "--memory-budget", let value = Int(value) { budget = MemoryBudget(bytes: value << 20) }
      if flag == "--threads", let value = Int(value) { Parallel.threads = value }
    }
    trains = arguments.contains("--train")
    profiles = arguments.contains("--profile")
  }

  func run() throws {
    let model = try DiffusionModel(path: path, parts: .decoder, plan: .int8)
    let memory = WorkingMemory(budget)
    let (tape, pool) = (memory.makeTape(), memory.pool)
    let side = size / model.autoencoder.downsampling
    let channels = model.unet.config.inChannels
    if trains {
      let training = TrainingTimes(model: model, size: size)
      let step = try seconds { try training.step(memory) }
      print(
        """
        {"engine": "inversion", "threads": \(Parallel.threads), "size": \(size), "train_step_s": \(step), \
        "peak_mb": \(peakMegabytes), "activations_mb": \(pool.usage.peak / 1_000_000)}
        """)
      return
    }
    let prompt = try model.framed([1, 2, 3])
    let states = model.textEncoder([prompt, prompt], on: tape)
    _ = states.pointer
    let text = seconds { _ = model.textEncoder([prompt, prompt], on: tape).pointer }
    let elements = (0..<2 * side * side * channels).map { index -> Float in Float(index % 17) / 8 - 1 }
    model.releasePages(of: .textEncoder)
    let latents = tape.constant([2, side, side, channels], elements)
    let step = seconds {
      _ = model.unet(latents, timesteps: [500, 500], ConstantContext(states), on: tape).pointer
    }
    let stepPeak = peakMegabytes
    model.releasePages(of: .unet)
    pool.dropFree()
    let one = tape.constant([1, side, side, channels], Array(elements.prefix(side * side * channels)))
    let vae = seconds { _ = model.autoencoder.decode(one, on: tape).pointer }
    print(
      """
      {"engine": "inversion", "threads": \(Parallel.threads), "size": \(size), "kernel": "\(int8KernelName)", \
      "text_s": \(text), "step_s": \(step), "vae_s": \(vae), "step_peak_mb": \(stepPeak), \
      "peak_mb": \(peakMegabytes), "activations_mb": \(pool.usage.peak / 1_000_000)}
      """)
    if profiles { profile(model, latents, states, tape) }
  }

  /// The median of several runs after one.
  private func seconds(_ body: () throws -> Void) rethrows -> Double {
    try body()
    let times = try (0..<runs).map { _ in try measured(body) }.sorted()
    return times[runs / 2]
  }

  private func measured(_ body: () throws -> Void) rethrows -> Double {
    let time = try ContinuousClock().measure(body).components
    return Double(time.seconds) + (Double(time.attoseconds) / 1e15).rounded() / 1e3
  }

  /// The peak of resident memory so far.
  private var peakMegabytes: Int {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return usage.ru_maxrss * 1024 / 1_000_000
  }

  /// Where a step's time goes, by kind of part. Observing makes deferred rows early, so the sum is a little more.
  private func profile(_ model: DiffusionModel, _ latents: Activation, _ states: Activation, _ tape: Tape) {
    var last = ContinuousClock.now
    tape.observer = { path, activation in
      _ = activation.pointer
      let now = ContinuousClock.now
      let time = (now - last).components
      print(path, (Double(time.attoseconds) / 1e14).rounded() / 10, "ms")
      last = now
    }
    _ = model.unet(latents, timesteps: [500, 500], ConstantContext(states), on: tape).pointer
    tape.observer = nil
  }
}
