import Errors
import Testing

@testable import Schedules
@testable import Training

@Suite struct LearningRateScheduleTests {
  @Test func aTextOfPiecesIsRead() throws {
    let schedule = try LearningRateSchedule(text: "0.005:100, 1e-3:1000, 1e-5")
    #expect(schedule.rate(step: 1, of: 2000) == 0.005 && schedule.rate(step: 100, of: 2000) == 0.005)
    #expect(schedule.rate(step: 101, of: 2000) == 1e-3 && schedule.rate(step: 1000, of: 2000) == 1e-3)
    #expect(schedule.rate(step: 1001, of: 2000) == 1e-5)
    #expect(try LearningRateSchedule(text: "0.1:5").rate(step: 9, of: 10) == 0.1, "the last rate goes on")
  }

  @Test(arguments: [
    ("", "piece 1"), ("0.005:100, x", "piece 2, 'x'"), ("0.1:10, 0.2:5", "above 10"), ("0.1, 0.2", "piece 2"),
    ("0.1:2:3", "piece 1"), ("0:5", "above 0"), ("2", "up to 1"), ("nan", "above 0"), ("0.1:1.5", "piece 1"),
    ("0.1:5,", "piece 2"),
  ])
  func errorsNameThePiece(text: String, reason: String) {
    let error = #expect(throws: InversionError.self) { try LearningRateSchedule(text: text) }
    #expect(error?.code == .invalidArgument && error?.message.contains(reason) == true, "\(error?.message ?? "")")
  }

  /// diffusers 0.42, `get_scheduler(name, optimizer, num_warmup_steps=4, num_training_steps=20)` with a rate of 1.
  @Test(arguments: [
    (LearningRateSchedule.Shape.constant, [0.0, 0.5, 1, 1, 1]),
    (.cosine, [0.0, 0.5, 1, 0.6913417161825449, 0.009607359798384785]),
    (.linear, [0.0, 0.5, 1, 0.625, 0.0625]),
  ])
  func shapesAreThoseOfDiffusers(shape: LearningRateSchedule.Shape, expected: [Double]) {
    var schedule = LearningRateSchedule(1)
    (schedule.shape, schedule.warmUp) = (shape, 4)
    let rates = [0, 2, 4, 10, 19].map { schedule.rate(step: $0 + 1, of: 20) }
    for (rate, value) in zip(rates, expected) { #expect(abs(rate - value) < 1e-12) }
  }
}

@Suite struct LossSettingsTests {
  /// diffusers 0.42, `compute_snr` of a DDPMScheduler with scaled_linear betas 0.00085 to 0.012, and the weights of
  /// its textual-inversion relatives with gamma 5.
  @Test(arguments: [
    (0, 1175.4705810546875, 0.0042536155992213475, 0.0042500000259399415),
    (250, 2.065534830093384, 1, 0.6737926478005348), (999, 0.004681916441768408, 1, 0.0046600982511461105),
  ])
  func weightsAreThoseOfDiffusers(timestep: Int, ratio: Double, epsilon: Double, velocity: Double) {
    var config = SchedulerConfig()
    (config.betaSchedule, config.betaStart, config.betaEnd) = (.scaledLinear, 0.00085, 0.012)
    let schedule = NoiseSchedule(config)
    #expect(abs(schedule.signalToNoise(timestep) / ratio - 1) < 2e-5, "\(schedule.signalToNoise(timestep))")
    #expect(abs(schedule.minSNRWeight(timestep, gamma: 5) / epsilon - 1) < 2e-5)
    config.predictionType = .velocity
    let other = NoiseSchedule(config)
    #expect(abs(other.minSNRWeight(timestep, gamma: 5) / velocity - 1) < 2e-5)
  }
}
