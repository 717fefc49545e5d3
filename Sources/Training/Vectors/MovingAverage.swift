/// An exponential moving average of the rows: it wanders less than they do.
struct MovingAverage: Sendable, Equatable, Codable {
  let decay: Double
  private(set) var rows: [Double]
  private var steps = 0

  init(decay: Double, rows: [Double]) {
    (self.decay, self.rows) = (decay, rows)
  }

  /// Young averages follow fast, as diffusers' EMAModel: after n steps the decay is at most (1 + n) / (10 + n).
  mutating func add(_ new: [Double]) {
    steps += 1
    let decay = min(decay, Double(1 + steps) / Double(10 + steps))
    for index in rows.indices { rows[index] += (1 - decay) * (new[index] - rows[index]) }
  }
}
