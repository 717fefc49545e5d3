/// A prompt that changes with the step, by AUTOMATIC1111's grammar: `[from:to:when]`, `[to:when]`, `[from::when]`
/// switch once, `[one|other]` alternate. All else, also what is unbalanced, is text as it stands.
///
/// Parsed in one pass, whatever the text; groups nested deeper than `deepest` are text.
struct PromptSchedule {
  static let deepest = 64

  private indirect enum Node {
    case text(String)
    /// Round or square brackets that weigh what they hold: text, brackets included.
    case sequence([Node])
    /// Up to and with step `last` (1-based) the one, then the other.
    case switching(from: [Node], to: [Node], last: Int)
    case alternating([[Node]])
  }

  private let nodes: [Node]

  /// - Parameters:
  ///   - steps: of the whole run; a `when` with a point is a fraction of them.
  ///   - passed: steps of an earlier pass over the same picture, which whole `when` count too and fractions as 1.
  init(_ prompt: String, steps: Int, passed: Int? = nil) {
    var parser = Parser(steps: steps, passed: passed)
    for scalar in prompt.unicodeScalars { parser.read(scalar) }
    nodes = parser.finish()
  }

  /// The prompt as it is at a step, from 0. The first two are alike: AUTOMATIC1111 counts from 0 where it takes the
  /// steps and from 1 where it plans them.
  func text(step: Int) -> String { text(planned: max(step, 1)) }

  /// - Parameter planned: from 1.
  func text(planned step: Int) -> String {
    var text = ""
    Self.append(nodes, step, to: &text)
    return text
  }

  private static func append(_ nodes: [Node], _ step: Int, to text: inout String) {
    for node in nodes {
      switch node {
      case .text(let own): text += own
      case .sequence(let inner): append(inner, step, to: &text)
      case .switching(let from, let to, let last): append(step <= last ? from : to, step, to: &text)
      case .alternating(let ways): append(ways[(step - 1) % ways.count], step, to: &text)
      }
    }
  }

  /// Reads a prompt character by character.
  private struct Parser {
    let steps: Int
    let passed: Int?
    private var top: [Node] = []
    private var open: [Group] = []
    /// Characters that belong to no node yet.
    private var run = ""
    private var isEscaped = false

    init(steps: Int, passed: Int?) {
      self.steps = steps
      self.passed = passed
    }

    /// A bracket that has not been closed yet.
    private struct Group {
      let opening: Unicode.Scalar
      /// What stands between colons, and between bars within.
      var parts: [[[Node]]] = [[[]]]

      mutating func append(_ node: Node) {
        let (part, way) = (parts.count - 1, parts[parts.count - 1].count - 1)
        parts[part][way].append(node)
      }

      /// As text, without the closing bracket.
      var asText: [Node] {
        var nodes: [Node] = [.text(String(opening))]
        for (part, ways) in parts.enumerated() {
          if part > 0 { nodes.append(.text(":")) }
          nodes += PromptSchedule.Parser.joined(ways)
        }
        return nodes
      }
    }

    mutating func read(_ scalar: Unicode.Scalar) {
      if isEscaped || !isSpecial(scalar) {
        isEscaped = scalar == "\\" && !isEscaped
        run.unicodeScalars.append(scalar)
        return
      }
      endRun()
      switch scalar {
      case "(", "[":
        if open.count == PromptSchedule.deepest { giveUp() }
        open.append(Group(opening: scalar))
      case ")", "]": close(scalar)
      case ":": open[open.count - 1].parts.append([[]])
      default:
        let part = open[open.count - 1].parts.count - 1
        open[open.count - 1].parts[part].append([])
      }
    }

    private func isSpecial(_ scalar: Unicode.Scalar) -> Bool {
      switch scalar {
      case "(", "[", ")", "]": true
      case ":": !open.isEmpty
      case "|": open.last?.opening == "["
      default: false
      }
    }

    private mutating func endRun() {
      if !run.isEmpty { append(.text(run)) }
      run = ""
    }

    mutating func finish() -> [Node] {
      endRun()
      giveUp()
      return top
    }

    private mutating func append(_ node: Node) {
      if open.isEmpty { top.append(node) } else { open[open.count - 1].append(node) }
    }

    /// What cannot be closed any more makes text of all groups around it too.
    private mutating func giveUp() {
      for group in open { top += group.asText }
      open = []
    }

    private mutating func close(_ closing: Unicode.Scalar) {
      if let group = open.last, (group.opening == "(") == (closing == ")"), let node = node(of: group) {
        open.removeLast()
        append(node)
      } else {
        giveUp()
        top.append(.text(String(closing)))
      }
    }

    /// What a closed group is; nil when it is none.
    private func node(of group: Group) -> Node? {
      let parts = group.parts
      if group.opening == "(" {
        return parts.count <= 2 ? .sequence(group.asText + [.text(")")]) : nil
      }
      switch parts.count {
      case 1 where parts[0].count > 1: return .alternating(parts[0])
      case 1: return .sequence(group.asText + [.text("]")])
      case 2, 3:
        guard let last = lastStep(parts[parts.count - 1]) else { return nil }
        let from = parts.count == 3 ? Self.joined(parts[0]) : []
        return .switching(from: from, to: Self.joined(parts[parts.count - 2]), last: last)
      default: return nil
      }
    }

    /// A bar that does not alternate is text.
    private static func joined(_ ways: [[Node]]) -> [Node] { Array(ways.joined(separator: [.text("|")])) }

    /// The last step before the change that a `when` asks for; nil when it is no number.
    private func lastStep(_ ways: [[Node]]) -> Int? {
      guard ways.count == 1, ways[0].count == 1, case .text(let text) = ways[0][0] else { return nil }
      let digits = text.trimmingWhitespace()
      guard let value = Double(digits), digits.allSatisfy({ "+-.eE0123456789".contains($0) }) else { return nil }
      let isFraction = digits.contains(".")
      let step = isFraction ? (value - (passed == nil ? 0 : 1)) * Double(steps) : value - Double(passed ?? 0)
      return Int(max(min(step, Double(steps)), -1))
    }
  }
}

extension StringProtocol {
  fileprivate func trimmingWhitespace() -> SubSequence {
    guard let first = firstIndex(where: { !$0.isWhitespace }), let last = lastIndex(where: { !$0.isWhitespace })
    else { return self[startIndex..<startIndex] }
    return self[first...last]
  }
}
