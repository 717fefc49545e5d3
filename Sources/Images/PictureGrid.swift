/// A contact sheet: rows of pictures on one picture, columns aligned, each picture at its own size in the middle of its
/// cell.
public struct PictureGrid: Sendable {
  public var rows: [[Picture]]
  /// Pixels between pictures and around the sheet.
  public var gap: Int
  /// Red, green, blue.
  public var background: (UInt8, UInt8, UInt8)

  public init(rows: [[Picture]], gap: Int = 4, background: (UInt8, UInt8, UInt8) = (255, 255, 255)) {
    precondition(rows.contains { !$0.isEmpty } && gap >= 0)
    self.rows = rows
    self.gap = gap
    self.background = background
  }

  /// One row after the other, `columns` pictures in each.
  public init(_ pictures: [Picture], columns: Int, gap: Int = 4, background: (UInt8, UInt8, UInt8) = (255, 255, 255)) {
    precondition(columns > 0)
    let rows = stride(from: 0, to: pictures.count, by: columns).map {
      Array(pictures[$0..<min($0 + columns, pictures.count)])
    }
    self.init(rows: rows, gap: gap, background: background)
  }

  /// Draws the sheet.
  public func picture() -> Picture {
    let columnCount = rows.map(\.count).max() ?? 0
    let widths = (0..<columnCount).map { column in
      rows.compactMap { column < $0.count ? $0[column].width : nil }.max() ?? 0
    }
    let heights = rows.map { $0.map(\.height).max() ?? 0 }
    let width = widths.reduce(gap) { $0 + $1 + gap }
    let height = heights.reduce(gap) { $0 + $1 + gap }
    var pixels = [UInt8](repeating: 0, count: width * height * 3)
    for index in 0..<width * height {
      (pixels[3 * index], pixels[3 * index + 1], pixels[3 * index + 2]) = background
    }
    var top = gap
    for (row, rowHeight) in zip(rows, heights) {
      var left = gap
      for (picture, columnWidth) in zip(row, widths) {
        let (x, y) = (left + (columnWidth - picture.width) / 2, top + (rowHeight - picture.height) / 2)
        for line in 0..<picture.height {
          let start = ((y + line) * width + x) * 3
          pixels.replaceSubrange(
            start..<start + picture.width * 3,
            with: picture.pixels[line * picture.width * 3..<(line + 1) * picture.width * 3])
        }
        left += columnWidth + gap
      }
      top += rowHeight + gap
    }
    return Picture(width: width, height: height, pixels: pixels)
  }
}
