import Synchronization

/// The settings that A1111's clients read and write. They live as long as the daemon and hold for all its A1111 routes.
final class A1111Options: Sendable {
  struct Values: Sendable, Equatable {
    var clipSkip = 1
  }

  private let state = Mutex(Values())

  var values: Values { state.withLock { $0 } }

  /// Takes over the settings that mean something here and leaves the others.
  /// - Throws: `FieldError`; `A1111Error` for a model that is not there.
  func set(_ fields: RequestFields, model: String) throws {
    let skip = try fields.int("CLIP_stop_at_last_layers")
    if let wanted = try fields.string("sd_model_checkpoint"), wanted != model {
      throw A1111Error(status: .internalServerError, detail: "checkpoint '\(wanted)' not found")
    }
    state.withLock { values in values.clipSkip = skip ?? values.clipSkip }
  }

  /// All settings, with those that clients look for although only one value is possible here.
  func all(model: String) -> JSONValue {
    [
      "sd_model_checkpoint": .string(model), "sd_checkpoint_hash": "", "sd_vae": "Automatic",
      "CLIP_stop_at_last_layers": .integer(Int64(values.clipSkip)), "samples_format": "png", "samples_save": false,
      "grid_save": false, "enable_pnginfo": true, "randn_source": "GPU", "eta_noise_seed_delta": 0,
    ]
  }
}
