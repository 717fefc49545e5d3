import ArgumentParser

/// `512x768`: width, then height.
struct PictureSize: ExpressibleByArgument {
  let width: Int
  let height: Int

  init?(argument: String) {
    let sides = argument.lowercased().split(separator: "x", omittingEmptySubsequences: false).map { Int($0) }
    guard sides.count == 2, let width = sides[0], let height = sides[1] else { return nil }
    self.width = width
    self.height = height
  }
}

/// How much of a picture a file keeps; where nothing is said, all, if the format can.
enum PictureQuality: ExpressibleByArgument, Equatable {
  case lossless
  case lossy(Int)

  init?(argument: String) {
    if argument == "lossless" {
      self = .lossless
    } else if let value = Int(argument), (1...100).contains(value) {
      self = .lossy(value)
    } else {
      return nil
    }
  }
}
