import Synchronization

/// The settings that A1111's clients read and write. They live as long as the daemon and hold for all its A1111 routes.
final class A1111Options: Sendable {
  struct Values: Sendable, Equatable {
    var clipSkip = 1
    /// Nil is the daemon's own choice.
    var model: String?
  }

  private let state = Mutex(Values())

  var values: Values { state.withLock { $0 } }

  /// Takes over the settings that mean something here and leaves the others.
  /// - Throws: `FieldError`; `A1111Error` for a model that is not there.
  func set(_ fields: RequestFields, _ shelf: ModelShelf) throws {
    let skip = try fields.int("CLIP_stop_at_last_layers")
    let model = try Self.model(fields, shelf)
    state.withLock { values in
      values.clipSkip = skip ?? values.clipSkip
      values.model = model ?? values.model
    }
  }

  /// All settings, with those that clients look for although only one value is possible here.
  func all(_ shelf: ModelShelf) -> JSONValue {
    [
      "sd_model_checkpoint": .string(values.model ?? shelf.defaultName), "sd_checkpoint_hash": "",
      "sd_vae": "Automatic",
      "CLIP_stop_at_last_layers": .integer(Int64(values.clipSkip)), "samples_format": "png", "samples_save": false,
      "grid_save": false, "enable_pnginfo": true, "randn_source": "GPU", "eta_noise_seed_delta": 0,
    ]
  }

  /// The model that some settings ask for; nil when they do not.
  /// - Throws: `A1111Error` for one that is not there.
  static func model(_ fields: RequestFields, _ shelf: ModelShelf) throws -> String? {
    guard let wanted = try fields.string("sd_model_checkpoint"), !wanted.isEmpty else { return nil }
    do { return try shelf.resolve(wanted) } catch {
      throw A1111Error(status: .unprocessableContent, detail: "checkpoint '\(wanted)' not found")
    }
  }
}
