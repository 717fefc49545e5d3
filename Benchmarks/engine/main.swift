// Times the parts of a denoising step and of a training step, median of several runs:
//   swift run -c release EngineBenchmark models/emoji-64 [RUNS]
// or those of one guided picture in int8, as a line of JSON that other engines' figures are set beside:
//   swift run -c release EngineBenchmark MODEL --json [--training] [--size PIXELS] [--runs N] [--threads N]
//     [--memory-budget MB] [--profile]
import Glibc
import Kernels
import Models
import Ops

guard CommandLine.arguments.count > 1 else { fatalError("usage: EngineBenchmark MODEL [RUNS]") }
if CommandLine.arguments.contains("--json") {
  try Row(arguments: CommandLine.arguments).print()
  exit(0)
}
let model = try DiffusionModel(path: CommandLine.arguments[1], parts: [.encoder, .decoder])
let runs = CommandLine.arguments.count > 2 ? Int(CommandLine.arguments[2]) ?? 7 : 7

/// Prints the median time of `body`.
func time(_ name: String, _ body: () -> Void) {
  body()
  let times = (0..<runs).map { _ -> Duration in
    let clock = ContinuousClock()
    return clock.measure(body)
  }.sorted()
  let median = times[runs / 2].components
  let milliseconds = Double(median.seconds) * 1e3 + Double(median.attoseconds) / 1e15
  let padding = String(repeating: " ", count: Swift.max(1, 40 - name.count))
  print("\(name)\(padding)\((milliseconds * 100).rounded() / 100) ms")
}

let side = model.nativeSize / model.autoencoder.downsampling
let channels = model.unet.config.inChannels
let room = model.textEncoder.config.maxPositionEmbeddings
let width = model.textEncoder.config.hiddenSize
let tape = Tape(recording: false)

func latents(_ batch: Int, on tape: Tape) -> Activation {
  let count = batch * side * side * channels
  return tape.constant([batch, side, side, channels], (0..<count).map { Float($0 % 17) / 8 - 1 })
}

print("\(model.name): \(activeInstructionSet), \(Parallel.threads) threads")
let quantised = try DiffusionModel(path: CommandLine.arguments[1], parts: .decoder, plan: .int8)
let prompt = try model.framed([1, 2, 3])
time("text encoder, 2 prompts") { _ = model.textEncoder([prompt, prompt], on: tape) }
let states = model.textEncoder([prompt, prompt], on: tape)
let single = model.textEncoder([prompt], on: tape)
time("U-Net, batch 1") {
  _ = model.unet(latents(1, on: tape), timesteps: [500], ConstantContext(single), on: tape)
}
time("U-Net, batch 2 (a guided step)") {
  _ = model.unet(latents(2, on: tape), timesteps: [500, 500], ConstantContext(states), on: tape)
}
time("U-Net, batch 2, int8 (\(int8KernelName))") {
  _ = quantised.unet(latents(2, on: tape), timesteps: [500, 500], ConstantContext(states), on: tape)
}
time("VAE decoder") { _ = model.autoencoder.decode(latents(1, on: tape), on: tape) }
let pixels = model.nativeSize * model.nativeSize * 3
let picture = tape.constant([1, model.nativeSize, model.nativeSize, 3], Array(repeating: 0.5, count: pixels))
time("VAE encoder") { _ = model.autoencoder.encode(picture, on: tape) }

let pool = tape.pool
let learned = (0..<width).map { Double($0 % 5) / 50 }
let caption = try model.framed([1, model.textEncoder.config.vocabSize, 2])
for batch in [1, 4] {
  time("training step, batch \(batch)") {
    let tape = Tape(recording: true, pool: pool)
    let rows = tape.variable([1, width], learned)
    let states = model.textEncoder(Array(repeating: caption, count: batch), learned: rows, on: tape)
    let noise = Array(repeating: Float(600), count: batch)
    let prediction = model.unet(latents(batch, on: tape), timesteps: noise, ConstantContext(states), on: tape)
    tape.backward([(prediction, gradient: prediction)])
    precondition(tape.gradient(of: rows) != nil)
  }
}
print("peak of activations: \(pool.usage.peak / 1_000_000) MB")
