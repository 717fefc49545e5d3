import Embeddings
import Foundation
import Generation
import Images

// How faithful a model is to another at equal seeds: the latents after the last step, and the pictures.
//
//     FaithfulBenchmark MODEL REFERENCE PROMPTS [STEPS [GUIDANCE]]
//     FaithfulBenchmark --reuse MODEL PROMPTS STEPS
//
// The second form compares a model with itself where steps share work, see `ReuseReport`.
//
// MODEL and REFERENCE are packages, folders or files; PROMPTS a file with one a line. Prints JSON.

struct Row: Encodable {
  let prompt: String
  /// Signal to noise of the final latents, in dB.
  let latents: Double
  /// Peak signal to noise of the picture, in dB.
  let picture: Double
}

struct Report: Encodable {
  let model: String
  let reference: String
  let steps: Int
  let guidance: Float
  let sampler: String
  /// Over all prompts together.
  let latents: Double
  let picture: Double
  let worstLatents: Double
  let worstPicture: Double
  let rows: [Row]
}

/// 10 log10 of the ratio of two powers.
func decibels(_ signal: Double, _ noise: Double) -> Double { 10 * log10(signal / max(noise, 1e-12)) }

func squares<Values: Sequence<Double>>(_ values: Values) -> Double { values.reduce(0) { $0 + $1 * $1 } }

/// Prompts of a file, one a line.
func promptsOfFile(_ path: String) throws -> [String] {
  try String(contentsOfFile: path, encoding: .utf8).split(whereSeparator: \.isNewline).map(String.init)
    .filter { !$0.hasPrefix("#") }
}

func show(_ report: some Encodable) throws {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
  encoder.keyEncodingStrategy = .convertToSnakeCase
  print(String(decoding: try encoder.encode(report), as: UTF8.self))
}

let arguments = CommandLine.arguments
if arguments.count == 5, arguments[1] == "--reuse", let steps = Int(arguments[4]) {
  try show(ReuseReport(model: arguments[2], prompts: promptsOfFile(arguments[3]), steps: steps))
  exit(0)
}
guard (4...6).contains(arguments.count) else {
  FileHandle.standardError.write(Data("FaithfulBenchmark MODEL REFERENCE PROMPTS [STEPS [GUIDANCE]]\n".utf8))
  exit(64)
}
let pipelines = try (1...2).map { try Pipeline(folder: arguments[$0]) }
let prompts = try promptsOfFile(arguments[3])

/// The final latents and the pixels of a prompt under one of the models.
func make(_ prompt: String, seed: Int, with pipeline: Pipeline) throws -> (latents: [Double], pixels: [Double]) {
  var request = GenerationRequest(prompt: prompt)
  request.seed = UInt64(seed)
  if arguments.count > 4, let steps = Int(arguments[4]) { request.steps = steps }
  if arguments.count > 5, let guidance = Float(arguments[5]) { request.guidanceScale = guidance }
  let synthesis = try pipeline.begin(request, embeddings: EmbeddingTable())
  while synthesis.next() != nil {}
  return (synthesis.latentPlanes.map(Double.init), try synthesis.decode()[0].pixels.map(Double.init))
}

var rows: [Row] = []
var (latentSignal, latentNoise, pictureNoise, pixelCount) = (0.0, 0.0, 0.0, 0)
for (seed, prompt) in prompts.enumerated() {
  let made = try pipelines.map { try make(prompt, seed: seed, with: $0) }
  let signal = squares(made[1].latents)
  let noise = squares(zip(made[0].latents, made[1].latents).lazy.map { $0 - $1 })
  let pixelNoise = squares(zip(made[0].pixels, made[1].pixels).lazy.map { $0 - $1 })
  let peak = 255.0 * 255.0
  let count = made[1].pixels.count
  rows.append(
    Row(prompt: prompt, latents: decibels(signal, noise), picture: decibels(peak * Double(count), pixelNoise)))
  (latentSignal, latentNoise) = (latentSignal + signal, latentNoise + noise)
  (pictureNoise, pixelCount) = (pictureNoise + pixelNoise, pixelCount + count)
}
let request = GenerationRequest(prompt: "")
let report = Report(
  model: pipelines[0].modelName, reference: pipelines[1].modelName,
  steps: arguments.count > 4 ? Int(arguments[4]) ?? request.steps : request.steps,
  guidance: arguments.count > 5 ? Float(arguments[5]) ?? request.guidanceScale : request.guidanceScale,
  sampler: request.sampler.rawValue, latents: decibels(latentSignal, latentNoise),
  picture: decibels(255 * 255 * Double(pixelCount), pictureNoise), worstLatents: rows.map(\.latents).min() ?? 0,
  worstPicture: rows.map(\.picture).min() ?? 0, rows: rows)
try show(report)
