/// What the routes take, as JSON Schema. `DaemonTests` asks for a body of each route that reads one.
enum RequestSchemas {
  /// By method and path: media types with their schemas.
  static let bodies: [String: JSONValue] = [
    "POST /v1/generate": json(required: ["prompt"], native),
    "PUT /v1/embeddings/:name": ["application/octet-stream": [:]],
    "POST /v1/images/generations": json(required: ["prompt"], openAI),
    "POST /v1/images/edits": [
      "multipart/form-data": [
        "schema": [
          "type": "object", "required": ["prompt", "image"],
          "properties": [
            "prompt": ["type": "string"], "image": ["type": "string", "format": "binary"],
            "mask": ["type": "string", "format": "binary"],
          ],
        ]
      ]
    ],
    "POST /sdapi/v1/txt2img": json(required: [], a1111),
    "POST /sdapi/v1/img2img": json(
      required: ["init_images"],
      a1111.merging(["init_images": ["type": "array", "items": ["type": "string"], "minItems": 1]]) { $1 }),
    "POST /sdapi/v1/options": json(
      required: [], ["CLIP_stop_at_last_layers": numeric, "sd_model_checkpoint": texts]),
    "POST /sdapi/v1/png-info": json(required: ["image"], ["image": ["type": "string", "minLength": 1]]),
  ]

  private static func json(required: [String], _ properties: [String: JSONValue]) -> JSONValue {
    [
      "application/json": [
        "schema": [
          "type": "object", "required": .array(required.map { .string($0) }), "properties": .object(properties),
        ]
      ]
    ]
  }

  // Every field may be null, which is the same as leaving it out.
  private static let text: JSONValue = ["type": ["string", "null"]]
  private static let flag: JSONValue = ["type": ["boolean", "null"]]

  private static func integer(_ range: ClosedRange<Int64>) -> JSONValue {
    ["type": ["integer", "null"], "minimum": .integer(range.lowerBound), "maximum": .integer(range.upperBound)]
  }

  private static func number(_ range: ClosedRange<Double>) -> JSONValue {
    ["type": ["number", "null"], "minimum": .number(range.lowerBound), "maximum": .number(range.upperBound)]
  }

  private static let side: JSONValue = [
    "type": ["integer", "null"], "minimum": 8, "maximum": 2048, "multipleOf": 8,
  ]

  private static let native: [String: JSONValue] = [
    "prompt": ["type": "string", "maxLength": 16384], "model": text, "negative_prompt": text,
    "steps": integer(1...1000), "guidance_scale": number(0...100),
    "seed": ["type": ["integer", "null"], "minimum": 0],
    "width": side, "height": side, "sampler": text, "count": integer(1...16), "clip_skip": integer(1...12),
    "init_image": text, "strength": number(0...1), "mask": text, "mask_blur": number(0...64), "strict": flag,
    "format": ["enum": ["png", "webp", "jpeg", nil]], "quality": integer(1...100), "stream": flag,
  ]

  // The other families' fields may come as text, as their own servers have it.
  private static let numeric: JSONValue = ["type": ["number", "string", "null"]]
  private static let texts: JSONValue = ["type": ["string", "number", "null"]]
  private static let flags: JSONValue = ["type": ["boolean", "integer", "string", "null"]]

  private static let openAI: [String: JSONValue] = [
    "prompt": ["type": ["string", "number"]], "model": texts, "n": numeric, "size": texts, "response_format": texts,
    "output_format": texts, "output_compression": numeric, "quality": texts, "background": texts, "stream": flags,
    "negative_prompt": texts, "seed": numeric, "steps": numeric, "guidance_scale": numeric, "sampler": texts,
    "strict": flags,
  ]

  private static let a1111: [String: JSONValue] = [
    "prompt": texts, "negative_prompt": texts, "seed": numeric, "steps": numeric, "cfg_scale": numeric,
    "width": numeric, "height": numeric, "batch_size": numeric, "n_iter": numeric, "sampler_name": texts,
    "sampler_index": texts, "send_images": flags, "override_settings": ["type": ["object", "null"]],
    "alwayson_scripts": ["type": ["object", "null"]], "script_name": texts, "denoising_strength": numeric,
    "mask": texts, "mask_blur": numeric, "resize_mode": numeric, "inpainting_mask_invert": numeric,
    "enable_hr": flags, "restore_faces": flags, "tiling": flags, "subseed_strength": numeric,
    "include_init_images": flags,
  ]
}
