import Errors
import Schedules
import Testing

@Suite("Samplers agree with diffusers")
struct SamplerTests {
  /// diffusers computes alphas_cumprod in f32, sigmas and their logarithms from them.
  private let tolerance: Float = 1e-4

  @Test("the golden file has runs of every sampler")
  func goldenFileIsThere() {
    #expect(GoldenRun.all.count > 150)
    #expect(Set(GoldenRun.all.map(\.sampler)) == Set(GoldenRun.names))
  }

  @Test("every call and the latents after every step", arguments: GoldenRun.all)
  func steps(run: GoldenRun) throws {
    var sampler = try run.makeSampler()
    #expect(sampler.steps == run.steps)
    #expect(relativeError([sampler.initialNoiseScale], [Float(run.initialNoiseScale)]) < tolerance)
    var latents = run.start.map { $0 * sampler.initialNoiseScale }
    var (calls, draws) = (0, 0)
    for step in 0..<run.steps {
      sampler.step(
        step, latents: &latents,
        predict: { input, timestep in
          if calls < run.inputs.count {
            #expect(relativeError(input, run.inputs[calls]) < tolerance, "network input of call \(calls)")
            let error = abs(timestep - Float(run.timesteps[calls])) / Float(run.config.trainTimesteps)
            #expect(error < timestepTolerance(run), "timestep of call \(calls)")
          }
          calls += 1
          return GoldenRun.prediction(calls - 1)
        },
        noise: {
          draws += 1
          return GoldenRun.noise(draws)
        })
      guard (1...run.latents.count).contains(calls), let expected = run.latents[calls - 1] else {
        Issue.record("step \(step) ends after call \(calls), another than the reference's")
        return
      }
      #expect(relativeError(latents, expected) < tolerance, "latents after step \(step)")
    }
    #expect(calls == run.inputs.count)
  }

  /// Of the cosine schedule's, diffusers' DPM-Solver cuts off fractions that hang on the rounding of f32; likewise of
  /// exponential ones, everywhere where it takes whole timesteps.
  private func timestepTolerance(_ run: GoldenRun) -> Float {
    let cuts =
      run.config.useKarrasSigmas && run.config.betaSchedule == .squaredCosine || run.config.useExponentialSigmas
    return cuts && ["dpmpp_2m", "dpmpp_2m_sde", "unipc"].contains(run.sampler) ? 1.1e-3 : 1e-4
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
    for name in GoldenRun.names {
      let error = #expect(throws: InversionError.self) { try GoldenRun.sampler(name, schedule, steps) }
      #expect(error?.code == .invalidArgument, "\(name)")
    }
  }

  @Test("one step goes all the way")
  func oneStep() throws {
    var config = SchedulerConfig()
    config.predictionType = .sample
    let schedule = NoiseSchedule(config)
    for name in GoldenRun.names {
      var sampler = try GoldenRun.sampler(name, schedule, 1)
      var latents: [Float] = [5, -5]
      sampler.step(
        0, latents: &latents, predict: { _, _ in [1, 2] },
        noise: {
          Issue.record("\(name) draws noise before the end")
          return [0, 0]
        })
      #expect(relativeError(latents, [1, 2]) < 1e-4, "\(name)")
    }
  }

  @Test(
    "a start in the middle shows the network what training did, and ends at what it sees", arguments: GoldenRun.names)
  func startInTheMiddle(name: String) throws {
    var config = SchedulerConfig()
    (config.predictionType, config.timestepSpacing, config.stepsOffset) = (.sample, .leading, 1)
    let schedule = NoiseSchedule(config)
    var sampler = try GoldenRun.sampler(name, schedule, 8)
    let (clean, noise): ([Float], [Float]) = ([0.5, -1, 2], [1, 0.25, -0.5])
    var latents = sampler.noised(clean, with: noise, step: 5)
    var seen: [(input: [Float], timestep: Float)] = []
    for step in 5..<8 {
      sampler.step(
        step, latents: &latents,
        predict: { input, timestep in
          seen.append((input, timestep))
          return clean
        }, noise: { [0.7, -0.3, 0.1] })
    }
    let first = try #require(seen.first)
    let trained = schedule.addNoise(noise, to: clean, timestep: Int(first.timestep))
    #expect(relativeError(first.input, trained) < 1e-5)
    #expect(relativeError(latents, clean) < 1e-3)
  }
}
