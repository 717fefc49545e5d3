/// A vocabulary: tokens by id and ids by token, in flat memory.
///
/// 49,408 Swift strings in a dictionary take four times the memory and the time to build.
struct TokenTable: Sendable {
  /// All tokens' UTF-8, one after the other.
  private var text: [UInt8] = []
  /// Where each id's token ends in `text`.
  private var ends: [UInt32] = []
  /// Open addressing: an id plus one, or 0 for a free slot; never more than half full.
  private var slots: [UInt32]

  init(capacity: Int) {
    ends.reserveCapacity(capacity)
    slots = Array(repeating: 0, count: Self.slotCount(for: capacity))
  }

  var count: Int { ends.count }
  var indices: Range<Int> { 0..<count }

  /// The UTF-8 of a token.
  subscript(id: Int) -> ArraySlice<UInt8> {
    let start = id == 0 ? 0 : Int(ends[id - 1])
    return text[start..<Int(ends[id])]
  }

  /// Gives `token` the next id; false when it has one already.
  mutating func append(_ token: ArraySlice<UInt8>) -> Bool {
    if slots.count < 2 * (count + 1) { grow() }
    let slot = slot(of: token)
    guard slots[slot] == 0 else { return false }
    text.append(contentsOf: token)
    ends.append(UInt32(text.count))
    slots[slot] = UInt32(ends.count)
    return true
  }

  func id(of token: ArraySlice<UInt8>) -> Int? {
    let value = slots[slot(of: token)]
    return value == 0 ? nil : Int(value) - 1
  }

  /// The slot that holds `token`, or the free one where it belongs.
  private func slot(of token: ArraySlice<UInt8>) -> Int {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325  // FNV-1a
    for byte in token { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    var slot = Int(truncatingIfNeeded: hash ^ (hash >> 32)) & (slots.count - 1)
    while slots[slot] != 0, self[Int(slots[slot]) - 1] != token { slot = (slot + 1) & (slots.count - 1) }
    return slot
  }

  private mutating func grow() {
    slots = Array(repeating: 0, count: slots.count * 2)
    for id in 0..<count { slots[slot(of: self[id])] = UInt32(id + 1) }
  }

  private static func slotCount(for capacity: Int) -> Int {
    var slots = 16
    while slots < 2 * capacity { slots *= 2 }
    return slots
  }
}
