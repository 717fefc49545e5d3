// Times the kernels on the shapes of a file, a line of JSON each; Benchmarks/kernels.py makes the table:
//   swift run -c release KernelBenchmark Benchmarks/shapes/unet-sd15.txt [RUNS]
import CCeilings
import FoundationEssentials
import Kernels

guard CommandLine.arguments.count > 1 else { fatalError("usage: KernelBenchmark SHAPES [RUNS]") }
let text = try String(decoding: Data(contentsOf: URL(filePath: CommandLine.arguments[1])), as: UTF8.self)
let runs = CommandLine.arguments.count > 2 ? Int(CommandLine.arguments[2]) ?? 5 : 5
let measurements = Measurements(runs: runs)

let (int8, pairs, f32) = (Ceiling(inv_ceiling_int8), Ceiling(inv_ceiling_pairs), Ceiling(inv_ceiling_f32))

func told(_ rate: Double?) -> String { rate.map { "\(($0 * 10).rounded() / 10)" } ?? "null" }

print(
  """
  {"threads": \(Parallel.threads), "isa": "\(activeInstructionSet)", "int8": "\(int8KernelName)", \
  "half": "\(halfKernelName)", "attention": "\(attentionKernelName(.sixteenBits))", \
  "int8_ceiling": \(told(int8?.best())), "pair_ceiling": \(told(pairs?.best())), "f32_ceiling": \(told(f32?.best()))}
  """)
for shape in text.split(separator: "\n").compactMap(Shape.init) {
  let times: String
  switch shape {
  case .product(let m, let n, let k, let taps, let stride, _, let half):
    let ours = measurements.product(
      m: m, n: n, k: k, taps: taps, stride: stride, half: half, beside: half ? f32 : int8)
    times = """
      "ms": \(ours.milliseconds), "ceiling": \(told(ours.ceiling)), \
      "sgemm_ms": \(measurements.sgemm(m: m, n: n, depth: k * taps))
      """
  case .attention(let batch, let queries, let keys, let heads, let width, _):
    let form = AttentionShape(batch: batch, queries: queries, keys: keys, heads: heads, width: width)
    let ours = measurements.attention(form, .sixteenBits, beside: pairs)
    times = """
      "ms": \(ours.milliseconds), "ceiling": \(told(ours.ceiling)), \
      "f32_ms": \(measurements.attention(form, .f32).milliseconds), \
      "gradient_ms": \(measurements.attentionGradients(form, .sixteenBits)), \
      "f32_gradient_ms": \(measurements.attentionGradients(form, .f32))
      """
  }
  print("{\"kind\": \"\(shape.kind)\", \"shape\": \(shape.key), \"operations\": \(shape.operations), \(times)}")
}
