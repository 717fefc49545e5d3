extension NoiseSchedule {
  /// The training timesteps of `count` steps, from noisy to clean, as diffusers' DDIMScheduler spreads them.
  func wholeTimesteps(_ count: Int, spacing: TimestepSpacing) -> [Int] {
    switch spacing {
    case .linspace:
      return linspace(0, Double(trainTimesteps - 1), count).reversed().map { Int($0.rounded(.toNearestOrEven)) }
    case .leading:
      return leading(count, of: count)
    case .trailing:
      let stride = Double(trainTimesteps) / Double(count)
      return (0..<count).map { step in
        Int((Double(trainTimesteps) - Double(step) * stride).rounded(.toNearestOrEven)) - 1
      }
    }
  }

  /// The last `count` of `points` timesteps that start at the offset, cut to the schedule.
  func leading(_ count: Int, of points: Int) -> [Int] {
    let stride = trainTimesteps / points
    return (0..<count).map { step in
      min((points - 1 - step) * stride + config.stepsOffset, trainTimesteps - 1)
    }
  }
}
