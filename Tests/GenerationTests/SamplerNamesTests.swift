import Errors
import Generation
import Schedules
import Testing

@Suite struct SamplerNamesTests {
  private func method(_ sampler: String?, _ scheduler: String? = nil) throws(InversionError) -> String {
    let method = try SamplingMethod(sampler: sampler, scheduler: scheduler)
    return "\(method.sampler.rawValue) \(method.scheduler?.rawValue ?? "-")"
  }

  @Test(arguments: [
    ("Euler a", "euler_a -"), ("k_euler_a", "euler_a -"), ("euler_ancestral", "euler_a -"), ("Euler", "euler -"),
    ("DPM++ 2M Karras", "dpmpp_2m karras"), ("k_dpmpp_2m_ka", "dpmpp_2m karras"), ("DPM++ 2M", "dpmpp_2m -"),
    ("DPM++ 2M SDE Exponential", "dpmpp_2m_sde exponential"), ("k_dpmpp_2m_sde_exp", "dpmpp_2m_sde exponential"),
    ("DPM2 a Karras", "dpm2_a karras"), ("k_dpm_2_a", "dpm2_a -"), ("LMS Karras", "lms karras"),
    ("DPM++ 2S a Karras", "dpmpp_2s_a karras"), ("DPM++ SDE", "dpmpp_sde -"), ("DPM++ 3M SDE", "dpmpp_3m_sde -"),
    ("UniPCMultistepScheduler", "unipc -"), ("plms", "plms -"), ("LCM", "lcm -"), ("  heun ", "heun -"),
  ])
  func namesThatPeopleUse(name: String, expected: String) throws { #expect(try method(name) == expected) }

  @Test func schedulerByItself() throws {
    #expect(try method(nil, "automatic") == "ddim -")
    #expect(try method("euler", "Automatic") == "euler -")
    #expect(try method("euler", "") == "euler -")
    #expect(try method("euler", "Karras") == "euler karras")
    #expect(try method("DPM++ 2M Karras", "karras") == "dpmpp_2m karras")
    #expect(try method("DPM++ 2M Karras", "automatic") == "dpmpp_2m karras")
    #expect(try method("ddim", "normal") == "ddim normal")
  }

  /// One table: no two samplers share a spelling, and every one is found by each of its names.
  @Test(arguments: SamplerName.allCases)
  func everyNameFindsItsSampler(sampler: SamplerName) throws {
    for name in [sampler.rawValue, sampler.displayName] + sampler.aliases {
      for spelling in [name, name.uppercased(), "k_\(name)"] {
        #expect(try SamplingMethod(sampler: spelling, scheduler: nil).sampler == sampler, "\(spelling)")
      }
    }
  }

  @Test(arguments: [
    ("hein", nil, "unknown sampler 'hein'"), ("", nil, "unknown sampler ''"), ("DDIM Karras", nil, "unknown sampler"),
    ("euler", "beta", "unknown scheduler 'beta'; choose one of 'automatic', 'normal', 'karras', 'exponential'"),
    ("DPM++ 2M Karras", "exponential", "contradicts"), ("lcm", "karras", "leave 'karras' out"),
  ])
  func refusesWithTheChoices(sampler: String, scheduler: String?, message: String) {
    let error = #expect(throws: InversionError.self) { _ = try method(sampler, scheduler) }
    #expect(error?.code == .invalidArgument && error?.message.contains(message) == true, "\(error?.message ?? "")")
  }
}
