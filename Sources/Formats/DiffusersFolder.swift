import Errors
import StrictJSON

/// A model as diffusers saves it: `model_index.json` and a folder for each component, with its config and weights.
public struct DiffusersFolder: Sendable {
  public let path: String
  /// The text of `model_index.json`: which class each component is.
  public let modelIndex: [UInt8]

  /// - Throws: `.fileUnavailable` naming the folder or the index that is not there.
  public init(path: String) throws {
    self.path = path
    if let reason = Absence(path) {
      throw InversionError(.fileUnavailable, "'\(path)': \(reason); give a diffusers model folder")
    }
    let index = "\(path)/\(Self.indexName)"
    if case .missing = Absence(index) { throw Self.noIndex(index, in: path) }
    self.modelIndex = try readFile(path: index)
  }

  private static let indexName = "model_index.json"

  /// Says what to give in the place of a folder that is no model: often it is near.
  private static func noIndex(_ index: String, in path: String) -> InversionError {
    let inside = names(in: path)
    // The cache of the Hugging Face hub keeps a model's versions in 'snapshots'.
    let folders = inside + names(in: "\(path)/snapshots").map { "snapshots/\($0)" }
    let files = inside.filter { name in [".safetensors", ".ckpt", ".gguf"].contains { name.hasSuffix($0) } }
    let advice =
      if let model = folders.first(where: { exists("\(path)/\($0)/\(indexName)") }) {
        "give '\(path)/\(model)', which has it"
      } else if let file = files.first {
        "a checkpoint is given by its file, '\(path)/\(file)'"
      } else if inside.contains("unet") {
        "get this file of the model too"
      } else {
        (inside.isEmpty ? "the folder is empty; " : "") + "give a folder in the layout of diffusers"
      }
    return InversionError(.fileUnavailable, "'\(index)': not there; \(advice)")
  }

  /// The folder of a component, such as `unet`, `text_encoder`, `vae`, `tokenizer`, `scheduler`.
  /// - Throws: `.fileUnavailable` when it is not there.
  public func component(_ name: String) throws -> String {
    let folder = "\(path)/\(name)"
    guard exists(folder) else {
      throw InversionError(.fileUnavailable, "'\(folder)': not there; the model needs its '\(name)'")
    }
    return folder
  }

  /// The text of a component's config: `config.json` for the networks, `scheduler_config.json` for the scheduler.
  /// - Throws: `.fileUnavailable`.
  public func config(of name: String, file: String = "config.json") throws -> [UInt8] {
    try readFile(path: "\(component(name))/\(file)")
  }

  /// The weights of a network: one file or shards, safetensors before torch's files, full precision before the `fp16`
  /// variant.
  /// - Throws: `.fileUnavailable` or `.badModel` naming what is missing, `.badFile` for a broken file.
  public func weights(of name: String) throws -> WeightSet {
    let folder = try component(name)
    for (stem, ending) in Self.files {
      for variant in ["", ".fp16"] {
        let single = "\(folder)/\(stem)\(variant).\(ending)"
        // A link that leads nowhere is opened too, to say so.
        if Absence(single) != .missing { return try WeightSet(path: single) }
        for index in ["\(stem).\(ending).index\(variant).json", "\(stem)\(variant).\(ending).index.json"]
        where exists("\(folder)/\(index)") {
          return try ShardIndex(folder: folder, name: index).open()
        }
      }
    }
    let names = Self.files.map { "'\($0.stem).\($0.ending)'" }.joined(separator: ", ")
    throw InversionError(.fileUnavailable, "'\(folder)': no weights; expected one of \(names)")
  }

  /// diffusers' name of a weights file and that of transformers, then those of old versions.
  private static let files = [
    (stem: "diffusion_pytorch_model", ending: "safetensors"), (stem: "model", ending: "safetensors"),
    (stem: "diffusion_pytorch_model", ending: "bin"), (stem: "pytorch_model", ending: "bin"),
  ]
}

/// `*.index.json`: which shard holds which tensor.
private struct ShardIndex {
  let folder: String
  let path: String
  /// Tensor to file name.
  private var weightMap: [String: String] = [:]

  init(folder: String, name: String) throws {
    self.folder = folder
    self.path = "\(folder)/\(name)"
    var map: [String: String]?
    do {
      var scanner = try JSONScanner(readFile(path: path))
      try scanner.object { scanner, key in
        guard key == "weight_map" else { return try scanner.skipValue() }
        var names: [String: String] = [:]
        try scanner.object { scanner, tensor in names[tensor] = try scanner.string() }
        map = names
      }
      try scanner.end()
    } catch let error as JSONError {
      throw InversionError(.badFile, "'\(path)': invalid JSON: \(error); get the file again")
    }
    guard let map, !map.isEmpty else {
      throw InversionError(.badModel, "'\(path)': no 'weight_map'; get the file again")
    }
    for file in map.values where file.isEmpty || file.contains("/") || file.hasPrefix(".") {
      throw InversionError(.badModel, "'\(path)': shard '\(file)' is no plain file name; get the file again")
    }
    self.weightMap = map
  }

  /// Opens all shards and checks that each has the tensors that the index promises.
  func open() throws -> WeightSet {
    let names = Set(weightMap.values).sorted()
    var files: [String: any WeightSource] = [:]
    for name in names {
      guard exists("\(folder)/\(name)") else {
        throw InversionError(.fileUnavailable, "'\(folder)/\(name)': not there, '\(path)' needs this shard; get it")
      }
      files[name] = try openWeights("\(folder)/\(name)")
    }
    for (tensor, name) in weightMap where files[name]?.tensors[tensor] == nil {
      throw InversionError(.badModel, "'\(folder)/\(name)': no tensor '\(tensor)', which '\(path)' says is there")
    }
    return try WeightSet(names.compactMap { files[$0] }, path: path)
  }
}
