/// A line of a file of shapes.
enum Shape {
  /// M rows by N outputs of a depth of K inputs in each of `taps`; half: weights of 16 bits.
  case product(m: Int, n: Int, k: Int, taps: Int, stride: Int, count: Int, half: Bool)
  case attention(batch: Int, queries: Int, keys: Int, heads: Int, width: Int, count: Int)

  /// nil for an empty line or a comment.
  init?(line: Substring) {
    let words = line.split(separator: " ")
    guard let kind = words.first, !kind.hasPrefix("#") else { return nil }
    let numbers = words.dropFirst().compactMap { Int($0) }
    precondition(numbers.count == 6, "a shape has six numbers: '\(line)'")
    switch kind {
    case "linear", "conv", "half":
      self = .product(
        m: numbers[0], n: numbers[1], k: numbers[2], taps: numbers[3], stride: numbers[4], count: numbers[5],
        half: kind == "half")
    case "attention":
      self = .attention(
        batch: numbers[0], queries: numbers[1], keys: numbers[2], heads: numbers[3], width: numbers[4],
        count: numbers[5])
    default: preconditionFailure("a shape is linear, conv, half or attention: '\(line)'")
    }
  }

  /// A multiplication and an addition are two.
  var operations: Double {
    switch self {
    case .product(let m, let n, let k, let taps, _, _, _): 2 * Double(m) * Double(n) * Double(k) * Double(taps)
    case .attention(let batch, let queries, let keys, let heads, let width, _):
      4 * Double(batch * heads) * Double(queries) * Double(keys) * Double(width)
    }
  }

  /// The numbers of its line, as they stand there.
  var key: String {
    switch self {
    case .product(let m, let n, let k, let taps, let stride, let count, _):
      "[\(m), \(n), \(k), \(taps), \(stride), \(count)]"
    case .attention(let batch, let queries, let keys, let heads, let width, let count):
      "[\(batch), \(queries), \(keys), \(heads), \(width), \(count)]"
    }
  }

  var kind: String {
    switch self {
    case .product(_, _, _, let taps, _, _, let half): half ? "half" : taps == 1 ? "linear" : "conv"
    case .attention: "attention"
    }
  }
}
