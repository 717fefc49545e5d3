import FoundationEssentials
import Wire

/// A1111's answer for finished pictures.
struct A1111Reply {
  let request: A1111Request
  let reply: GenerateReply

  var body: JSONValue {
    let pictures = request.sendImages ? reply.pictures.map { JSONValue.string($0.data.base64EncodedString()) } : []
    return [
      "images": .array(pictures), "parameters": .object(request.parameters),
      // A text that holds JSON.
      "info": .string(String(decoding: json(info), as: UTF8.self)),
    ]
  }

  private var info: JSONValue {
    let order = request.order.request
    let seeds = reply.pictures.map { JSONValue.integer(Int64(bitPattern: $0.seed)) }
    let each = reply.pictures.count
    let subseeds = (0..<each).map { picture in
      JSONValue.integer(order.variation.map { Int64(bitPattern: $0.seed + UInt64(picture)) } ?? -1)
    }
    func repeated(_ value: JSONValue) -> JSONValue { .array(Array(repeating: value, count: each)) }
    return [
      "prompt": .string(order.prompt), "all_prompts": repeated(.string(order.prompt)),
      "negative_prompt": .string(order.negativePrompt), "all_negative_prompts": repeated(.string(order.negativePrompt)),
      "seed": seeds.first ?? -1, "all_seeds": .array(seeds), "subseed": subseeds.first ?? -1,
      "all_subseeds": .array(subseeds), "subseed_strength": .number(Double(order.variation?.strength ?? 0)),
      "width": .integer(Int64(reply.pictures.first?.width ?? 0)),
      "height": .integer(Int64(reply.pictures.first?.height ?? 0)),
      "sampler_name": .string(order.sampler.displayName), "cfg_scale": .number(Double(order.guidanceScale)),
      "steps": .integer(Int64(order.steps)), "batch_size": request.parameters["batch_size"] ?? 1,
      "restore_faces": false, "face_restoration_model": nil, "sd_model_name": .string(reply.model),
      "sd_model_hash": "", "sd_vae_name": nil, "sd_vae_hash": nil, "seed_resize_from_w": -1, "seed_resize_from_h": -1,
      "denoising_strength": order.start.map { .number($0.strength) } ?? nil, "extra_generation_params": [:],
      "index_of_first_image": 0, "infotexts": .array(reply.pictures.map { .string($0.infotext) }), "styles": [],
      "job_timestamp": "0", "clip_skip": .integer(Int64(order.clipSkip)), "is_using_inpainting_conditioning": false,
      "version": .string("inversion \(projectVersion)"),
    ]
  }
}
