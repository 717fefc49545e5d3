import Foundation

/// A chart of curves as inline SVG: steps from left to right, values from bottom to top.
struct LineChart {
  struct Curve {
    let name: String
    /// A class of the page's style sheet.
    let style: String
    let points: [(x: Double, y: Double)]
    var hasDots = false
  }

  var title: String
  var curves: [Curve]
  /// Steps at which a vertical line stands, with what it says.
  var marks: [(x: Double, label: String)] = []

  private static let (width, height, left, bottom, top, right) = (640.0, 240.0, 64.0, 28.0, 22.0, 12.0)
  /// Parts of an axis, about.
  private static let parts = 6.0

  /// Empty where there is nothing to draw.
  var svg: String {
    let points = curves.flatMap(\.points).filter { $0.y.isFinite }
    guard let lastX = points.map(\.x).max(), let low = points.map(\.y).min(), let high = points.map(\.y).max() else {
      return ""
    }
    let pad = isFlat ? max(abs(high) * 0.1, 1e-9) : (high - low) * 0.06
    let frame = Frame(
      firstX: min(0, points.map(\.x).min() ?? 0), lastX: max(lastX, 1), low: low - pad, high: high + pad)
    var parts = [
      "<svg viewBox=\"0 0 \(Int(Self.width)) \(Int(Self.height))\" role=\"img\" aria-label=\"\(title.escaped)\">"
    ]
    parts += Self.ticks(from: frame.low, to: frame.high).map(frame.tick)
    parts += Self.ticks(from: frame.firstX, to: frame.lastX, least: 1).map(frame.step) + [frame.stepName]
    parts += marks.map { frame.mark($0.x, $0.label) }
    parts += curves.map(frame.curve)
    return parts.joined(separator: "\n") + "</svg>\n<p class=\"legend\">\(legend)</p>"
  }

  /// Empty too where the curves say one number, which the settings say.
  var svgUnlessFlat: String { isFlat ? "" : svg }

  /// Whether all values differ by rounding alone.
  var isFlat: Bool {
    let values = curves.flatMap(\.points).map(\.y).filter(\.isFinite)
    guard let low = values.min(), let high = values.max() else { return true }
    return high - low <= 1e-6 * max(abs(high), abs(low))
  }

  /// Round numbers of a range: multiples of 1, 2 or 5 times a power of ten.
  /// - Parameter least: the smallest distance between two.
  static func ticks(from low: Double, to high: Double, least: Double = 0) -> [Double] {
    let distance = (high - low) / parts
    let power = pow(10, log10(distance).rounded(.down))
    let step = max([1, 2, 5, 10].map { $0 * power }.first { $0 >= distance * 0.99 } ?? 10 * power, least)
    let (first, last) = ((low / step).rounded(.up), (high / step).rounded(.down))
    guard first.isFinite, last.isFinite, last - first < 2 * parts else { return [] }
    return stride(from: first, through: last, by: 1).map { $0 * step }
  }

  private var legend: String {
    curves.map { "<span class=\"key \($0.style)\"></span>\($0.name.escaped)" }.joined(separator: " ")
  }

  /// Values to places on the picture.
  private struct Frame {
    let (firstX, lastX, low, high): (Double, Double, Double, Double)

    init(firstX: Double, lastX: Double, low: Double, high: Double) {
      (self.firstX, self.lastX, self.low, self.high) = (firstX, lastX, low, high)
    }

    func x(_ value: Double) -> Double {
      left + (value - firstX) / (lastX - firstX) * (LineChart.width - left - right)
    }
    func y(_ value: Double) -> Double {
      LineChart.height - bottom - (value - low) / (high - low) * (LineChart.height - bottom - top)
    }

    func tick(_ value: Double) -> String {
      let place = y(value).short
      return "<line class=\"grid\" x1=\"\(left)\" x2=\"\(LineChart.width - right)\" y1=\"\(place)\" y2=\"\(place)\"/>"
        + "<text class=\"tick\" x=\"\(left - 6)\" y=\"\((y(value) + 4).short)\" text-anchor=\"end\">"
        + "\(value.figure)</text>"
    }

    func step(_ value: Double) -> String {
      "<text class=\"tick\" x=\"\(x(value).short)\" y=\"\(LineChart.height - 8)\" text-anchor=\"middle\">"
        + "\(Int(value))</text>"
    }

    /// What the numbers below the frame count, in the corner before them.
    var stepName: String {
      "<text class=\"tick\" x=\"\(left - 18)\" y=\"\(LineChart.height - 8)\" text-anchor=\"end\">step</text>"
    }

    /// The label stands above the frame, where no curve can run through it.
    func mark(_ value: Double, _ label: String) -> String {
      let isRight = x(value) > LineChart.width * 0.7
      return "<line class=\"mark\" x1=\"\(x(value).short)\" x2=\"\(x(value).short)\" y1=\"\(top)\" "
        + "y2=\"\(LineChart.height - bottom)\"/><text class=\"tick\" x=\"\(x(value).short)\" "
        + "y=\"\(top - 6)\" text-anchor=\"\(isRight ? "end" : "start")\">\(label.escaped)</text>"
    }

    func curve(_ curve: Curve) -> String {
      let points = curve.points.filter { $0.y.isFinite }.map { (x($0.x).short, y($0.y).short) }
      let line = points.map { "\($0),\($1)" }.joined(separator: " ")
      let dots =
        curve.hasDots ? points.map { "<circle class=\"\(curve.style)\" cx=\"\($0)\" cy=\"\($1)\" r=\"2.5\"/>" } : []
      return "<polyline class=\"\(curve.style)\" points=\"\(line)\"/>" + dots.joined()
    }

    private var left: Double { LineChart.left }
    private var right: Double { LineChart.right }
    private var top: Double { LineChart.top }
    private var bottom: Double { LineChart.bottom }
  }
}

extension Double {
  /// A place on a picture.
  var short: String { String(format: "%.1f", self) }
  /// A number of four digits.
  var figure: String { String(format: "%.4g", self) }
}

extension String {
  /// As text or an attribute of HTML.
  var escaped: String {
    replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
      .replacing("\"", with: "&quot;")
  }
}
