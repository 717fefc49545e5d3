/// (B, C, H, W), the layout of noise and of files, to (B, H, W, C), the layout of rows.
public func rowsFromPlanes<Element>(_ planes: [Element], _ b: Int, _ c: Int, _ h: Int, _ w: Int) -> [Element] {
  transposed(planes, batch: b, rows: c, columns: h * w)
}

/// (B, H, W, C) to (B, C, H, W).
public func planesFromRows<Element>(_ rows: [Element], _ b: Int, _ c: Int, _ h: Int, _ w: Int) -> [Element] {
  transposed(rows, batch: b, rows: h * w, columns: c)
}

private func transposed<Element>(_ x: [Element], batch: Int, rows: Int, columns: Int) -> [Element] {
  precondition(x.count == batch * rows * columns)
  return [Element](unsafeUninitializedCapacity: x.count) { out, count in
    for image in 0..<batch {
      let base = image * rows * columns
      for row in 0..<rows {
        for column in 0..<columns {
          out.initializeElement(at: base + column * rows + row, to: x[base + row * columns + column])
        }
      }
    }
    count = x.count
  }
}
