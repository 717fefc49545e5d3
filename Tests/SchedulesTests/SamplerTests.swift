import Errors
import Schedules
import Testing

@Suite("Samplers agree with diffusers")
struct SamplerTests {
  /// diffusers computes alphas_cumprod in f32, sigmas and their logarithms from them.
  private let tolerance: Float = 1e-4

  @Test("the golden file has runs of every sampler")
  func goldenFileIsThere() {
    #expect(GoldenRun.all.count > 30)
    #expect(Set(GoldenRun.all.map(\.sampler)) == ["ddim", "euler", "dpmpp_2m"])
  }

  @Test("timesteps and first scale", arguments: GoldenRun.all)
  func timesteps(run: GoldenRun) throws {
    let sampler = try run.makeSampler()
    // Of the cosine schedule's, diffusers' DPM-Solver cuts off fractions that hang on the rounding of f32.
    let cut = run.sampler == "dpmpp_2m" && run.config.useKarrasSigmas && run.config.betaSchedule == .squaredCosine
    #expect(relativeError(sampler.timesteps, run.timesteps.map(Float.init)) < (cut ? 1.1e-3 : 1e-4))
    #expect(relativeError([sampler.initialNoiseScale], [Float(run.initialNoiseScale)]) < tolerance)
  }

  @Test("latents after every step", arguments: GoldenRun.all)
  func steps(run: GoldenRun) throws {
    var sampler = try run.makeSampler()
    var latents = run.start.map { $0 * sampler.initialNoiseScale }
    for step in sampler.timesteps.indices {
      let input = sampler.scaledInput(latents, step: step)
      #expect(relativeError(input, run.inputs[step]) < tolerance, "network input of step \(step)")
      sampler.step(step, prediction: GoldenRun.prediction(step), latents: &latents)
      #expect(relativeError(latents, run.latents[step]) < tolerance, "latents after step \(step)")
    }
  }

  @Test("alphas_cumprod", arguments: GoldenRun.all)
  func alphas(run: GoldenRun) {
    let schedule = NoiseSchedule(run.config)
    let stride = schedule.alphasCumprod.count / 10
    for (index, expected) in run.alphasCumprod.enumerated() {
      // The smallest subnormal of f16 stands for zero in diffusers' sigma samplers.
      #expect(abs(schedule.alphasCumprod[index * stride] - expected) < 1e-6)
    }
  }

  @Test("a number of steps that cannot be taken is refused", arguments: [0, -1, 1001])
  func impossibleSteps(steps: Int) {
    let schedule = NoiseSchedule(SchedulerConfig())
    for make in [
      { _ = try DDIMSampler(schedule, steps: steps) }, { _ = try EulerSampler(schedule, steps: steps) },
      { _ = try DPMSolver2MSampler(schedule, steps: steps) },
    ] as [() throws -> Void] {
      let error = #expect(throws: InversionError.self) { try make() }
      #expect(error?.code == .invalidArgument)
    }
  }

  @Test("one step goes all the way")
  func oneStep() throws {
    var config = SchedulerConfig()
    config.predictionType = .sample
    let schedule = NoiseSchedule(config)
    var samplers: [any Sampler] = [
      try DDIMSampler(schedule, steps: 1), try EulerSampler(schedule, steps: 1),
      try DPMSolver2MSampler(schedule, steps: 1),
    ]
    for index in samplers.indices {
      var latents: [Float] = [5, -5]
      samplers[index].step(0, prediction: [1, 2], latents: &latents)
      #expect(relativeError(latents, [1, 2]) < 1e-5, "\(type(of: samplers[index]))")
    }
  }
}
