import Images

/// What can be read off a picture's pixels without a network: the colour around its subject, and marks of its style.
public struct PictureReadings: Sendable, Equatable {
  /// Standard deviation of the subject's brightness: little in a silhouette.
  public let contrast: Double
  /// Mean of largest less smallest channel over the subject: little in a sketch.
  public let colourfulness: Double
  /// How much steeper steps are between cells of a 16 x 16 raster than inside of them: much in pixel art.
  public let blockiness: Double
  /// Red, green, blue of the rim.
  public let background: [Double]

  /// Pixels whose colour is further than this from the rim's belong to the subject.
  private static let subjectDistance = 48.0
  private static let cells = 16

  public init(_ picture: Picture) {
    let pixels = PixelGrid(picture)
    let background = pixels.rimMedian
    let subject = pixels.colours.filter { Self.distance($0, background) > Self.subjectDistance }
    let brightness = subject.map { ($0[0] + $0[1] + $0[2]) / 3 }
    self.background = background
    contrast = subject.isEmpty ? 0 : variance(brightness[...]).squareRoot()
    colourfulness = mean(subject.map { ($0.max() ?? 0) - ($0.min() ?? 0) })
    blockiness = pixels.blockiness(cells: Self.cells)
  }

  /// The named colour that is nearest to the rim's.
  public var backgroundName: String {
    NamedColour.all.min { Self.distance($0.rgb, background) < Self.distance($1.rgb, background) }?.name ?? ""
  }

  private static func distance(_ a: [Double], _ b: [Double]) -> Double {
    zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot()
  }
}

/// A colour as prompts ask for it: those of the embedded model's captions.
struct NamedColour: Sendable {
  let name: String
  let rgb: [Double]

  static let all = [
    NamedColour(name: "white", rgb: [255, 255, 255]), NamedColour(name: "black", rgb: [16, 16, 16]),
    NamedColour(name: "gray", rgb: [128, 128, 128]), NamedColour(name: "red", rgb: [220, 30, 40]),
    NamedColour(name: "orange", rgb: [255, 140, 0]), NamedColour(name: "yellow", rgb: [255, 225, 60]),
    NamedColour(name: "green", rgb: [30, 150, 60]), NamedColour(name: "blue", rgb: [30, 80, 220]),
    NamedColour(name: "purple", rgb: [125, 40, 170]), NamedColour(name: "pink", rgb: [255, 160, 200]),
    NamedColour(name: "brown", rgb: [115, 65, 30]), NamedColour(name: "cyan", rgb: [70, 210, 220]),
  ]
}

/// A picture's colours by place.
private struct PixelGrid {
  let width: Int
  let height: Int
  /// (height, width)
  let colours: [[Double]]

  init(_ picture: Picture) {
    (width, height) = (picture.width, picture.height)
    colours = stride(from: 0, to: picture.pixels.count, by: 3).map { start in
      picture.pixels[start..<start + 3].map(Double.init)
    }
  }

  /// Of each channel, over a sixteenth of the sides.
  var rimMedian: [Double] {
    let (x, y) = (max(1, width / 16), max(1, height / 16))
    let rim = colours.indices.filter { index in
      let (column, row) = (index % width, index / width)
      return column < x || row < y || column >= width - x || row >= height - y
    }
    return (0..<3).map { channel in rim.map { colours[$0][channel] }.sorted()[rim.count / 2] }
  }

  func blockiness(cells: Int) -> Double {
    guard width % cells == 0, width / cells > 1 else { return 1 }
    let cell = width / cells
    var (between, inside): ((sum: Double, count: Double), (sum: Double, count: Double)) = ((0, 0), (0, 0))
    for index in colours.indices where index % width > 0 {
      let step = zip(colours[index], colours[index - 1]).reduce(0) { $0 + abs($1.0 - $1.1) }
      if index % width % cell == 0 {
        between = (between.sum + step, between.count + 1)
      } else {
        inside = (inside.sum + step, inside.count + 1)
      }
    }
    // One grey level keeps flat pictures from dividing by zero.
    return (between.sum / between.count + 1) / (inside.sum / inside.count + 1)
  }
}
