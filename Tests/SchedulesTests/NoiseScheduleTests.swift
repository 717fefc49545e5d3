import Errors
import Schedules
import Testing

@Suite("Noise schedule")
struct NoiseScheduleTests {
  private func schedule(_ type: PredictionType) -> NoiseSchedule {
    var config = SchedulerConfig()
    config.betaSchedule = .scaledLinear
    (config.betaStart, config.betaEnd) = (0.00085, 0.012)
    config.predictionType = type
    return NoiseSchedule(config)
  }

  @Test("noisy latents keep variance 1, and velocity is their derivative by the angle")
  func velocity() {
    let schedule = schedule(.velocity)
    let (latents, noise): ([Float], [Float]) = ([0.5, -1, 2], [1, 0.25, -0.5])
    for timestep in [0, 400, 999] {
      let alpha = Float(schedule.alphasCumprod[timestep].squareRoot())
      let sigma = Float((1 - schedule.alphasCumprod[timestep]).squareRoot())
      #expect(abs(alpha * alpha + sigma * sigma - 1) < 1e-6)
      let noisy = schedule.addNoise(noise, to: latents, timestep: timestep)
      let velocity = schedule.target(latents: latents, noise: noise, timestep: timestep)
      // Noisy latents and velocity are the pair (latents, noise) turned by one angle: turning back gives it again.
      #expect(relativeError(zip(noisy, velocity).map { alpha * $0 - sigma * $1 }, latents) < 1e-5)
      #expect(relativeError(zip(noisy, velocity).map { sigma * $0 + alpha * $1 }, noise) < 1e-5)
    }
  }

  @Test("the target follows the prediction type")
  func targets() {
    #expect(schedule(.epsilon).target(latents: [1], noise: [2], timestep: 10) == [2])
    #expect(schedule(.sample).target(latents: [1], noise: [2], timestep: 10) == [1])
  }

  @Test("zero terminal SNR leaves nothing at the end and the beginning as it was")
  func zeroTerminalSNR() {
    var config = schedule(.velocity).config
    let plain = NoiseSchedule(config)
    config.rescaleBetasZeroSNR = true
    let rescaled = NoiseSchedule(config)
    #expect(rescaled.alphasCumprod[999] == 0)
    #expect(abs(rescaled.alphasCumprod[0] - plain.alphasCumprod[0]) < 1e-12)
  }

  @Test("a config file is read with diffusers' defaults for what it lacks")
  func config() throws {
    let text = #"{"_class_name": "PNDMScheduler", "beta_schedule": "scaled_linear", "timestep_spacing": null}"#
    let config = try SchedulerConfig(json: Array(text.utf8), path: "scheduler_config.json")
    #expect(config.betaSchedule == .scaledLinear && config.trainTimesteps == 1000 && config.timestepSpacing == nil)
    #expect(config.predictionType == .epsilon && config.stepsOffset == 0 && config.setAlphaToOne)
  }

  @Test(
    "a config that gives no schedule is refused with file and key",
    arguments: [
      (#"{"beta_schedule": "sigmoid"}"#, "beta_schedule"), (#"{"num_train_timesteps": 0}"#, "num_train_timesteps"),
      (#"{"prediction_type": "flow"}"#, "prediction_type"), (#"{"beta_start": "x"}"#, "beta_start"),
      (#"{"beta_end": 1.5}"#, "beta"), (#"{"trained_betas": [0.1]}"#, "trained_betas"), ("[", "not JSON"),
      (#"{"steps_offset": -3}"#, "steps_offset"), (#"{"rescale_betas_zero_snr": true}"#, "rescale_betas_zero_snr"),
    ])
  func badConfig(json: String, key: String) {
    let error = #expect(throws: InversionError.self) {
      try SchedulerConfig(json: Array(json.utf8), path: "model/scheduler_config.json")
    }
    #expect(error?.code == .badModel)
    #expect(error?.message.contains(key) == true && error?.message.contains("'model/scheduler_config.json'") == true)
  }
}
