import Embeddings
import Generation
import Glibc
import Hummingbird
import HummingbirdCore
import Images
import Wire

/// What A1111's clients list before they ask for pictures.
func a1111CatalogRoutes(_ services: Services) -> [Route] {
  let shelf = services.generation.shelf
  let lists: [(name: String, list: @Sendable () -> JSONValue)] = [
    ("samplers", { .array(SamplerName.allCases.map(\.listing)) }),
    (
      "schedulers",
      { .array((["automatic"] + SamplingMethod.schedulers).map { schedulerListing($0) }) }
    ),
    (
      "sd-models",
      { .array(shelf.names.map(listing)) }
    ),
    ("embeddings", { embeddings(services.store.table) }),
    ("scripts", { ["txt2img": [], "img2img": []] }),
    ("memory", { memory() }),
    ("upscalers", { [["name": "None", "model_name": nil, "model_path": nil, "model_url": nil, "scale": 4]] }),
  ]
  let empty = [
    "sd-vae", "loras", "hypernetworks", "face-restorers", "prompt-styles", "script-info", "realesrgan-models",
  ]
  return (lists + empty.map { ($0, { [] as JSONValue }) }).map { name, list in
    Route(method: .get, path: "/sdapi/v1/\(name)") { _, _ in Response(.ok, list()) }
  }
}

private func listing(_ model: String) -> JSONValue {
  [
    "title": .string(model), "model_name": .string(model), "hash": nil, "sha256": nil, "filename": .string(model),
    "config": nil,
  ]
}

extension SamplerName {
  fileprivate var listing: JSONValue {
    let aliases = ["k_\(rawValue)", rawValue] + aliases
    return ["name": .string(displayName), "aliases": .array(aliases.map { .string($0) }), "options": [:]]
  }
}

private func schedulerListing(_ name: String) -> JSONValue {
  [
    "name": .string(name), "label": .string(name.capitalized), "aliases": nil,
    "default_rho": name == "karras" ? 7 : -1, "need_inner_model": false,
  ]
}

private func embeddings(_ table: EmbeddingTable) -> JSONValue {
  let loaded = table.embeddings.mapValues { embedding -> JSONValue in
    [
      "step": nil, "sd_checkpoint": nil, "sd_checkpoint_name": nil, "shape": .integer(Int64(embedding.width)),
      "vectors": .integer(Int64(embedding.count)),
    ]
  }
  // Those that are not in force have neither width nor vectors that could be told.
  let skipped = table.rejected.map { file -> (String, JSONValue) in
    (file.path, ["step": nil, "sd_checkpoint": nil, "sd_checkpoint_name": nil, "shape": 0, "vectors": 0])
  }
  return ["loaded": .object(loaded), "skipped": .object(Dictionary(skipped) { $1 })]
}

/// The machine's memory in bytes, as A1111 counts it: `used` is this process's.
private func memory() -> JSONValue {
  let page = sysconf(Int32(_SC_PAGESIZE))
  let (total, free) = (sysconf(Int32(_SC_PHYS_PAGES)) * page, sysconf(Int32(_SC_AVPHYS_PAGES)) * page)
  return [
    "ram": [
      "free": .integer(Int64(free)), "used": .integer(Int64(residentBytes())), "total": .integer(Int64(total)),
    ], "cuda": [:],
  ]
}

/// Reads how a picture was made from its file.
func a1111PngInfoRoutes() -> [Route] {
  [
    Route(method: .post, path: "/sdapi/v1/png-info") { request, context in
      let fields = try RequestFields(json: try await request.bytes(limit: pictureRequestLimit, for: context))
      guard let text = try fields.string("image"), !text.isEmpty else {
        throw FieldError(field: "image", message: "field required", type: "value_error.missing")
      }
      guard let file = PictureFile(base64: text), PictureFormat(sniffing: file.bytes) != nil else {
        throw A1111Error.invalidPicture
      }
      let info = readParameters(file.bytes) ?? ""
      let items = info.isEmpty ? [:] : ["parameters": .string(info)] as [String: JSONValue]
      return Response(
        .ok,
        [
          "info": .string(info), "items": .object(items),
          "parameters": .object(InfotextReader(info).parameters.mapValues { .string($0) }),
        ] as JSONValue)
    }
  ]
}
