import CKernels
import Kernels
import Testing

/// Every line of kernels.inc, on every instruction set of this machine, against the f64 table: at tile edges, at
/// extreme values, with a guard page after each buffer.
@Suite struct KernelTwinTests {
  /// How to call one kernel: sizes of its buffers in elements (inputs, then outputs), and the call itself.
  struct Case {
    let inputs: [Int]
    let outputs: [Int]
    let call: (inv_kernels, [UnsafeMutableRawPointer]) -> Void
    /// Values are drawn from -range...range.
    var range: Double = 4
    /// Largest difference, relative to the largest value of the output.
    var tolerance: Double = 2e-6
  }

  static let widths = [1, 7, 8, 15, 16, 17, 31, 64, 100]

  /// By kernel, its cases for rows of `n` elements.
  static let cases: [String: @Sendable (Int) -> Case] = {
    func map(_ kernel: @escaping @Sendable (inv_kernels, Int, UnsafeRawPointer, UnsafeMutableRawPointer) -> Void)
      -> @Sendable (Int) -> Case
    {
      { n in Case(inputs: [n], outputs: [n], call: { kernel($0, n, $1[0], $1[1]) }, range: 30) }
    }
    func gradient(
      _ kernel:
        @escaping @Sendable (
          inv_kernels, Int, UnsafeRawPointer, UnsafeRawPointer, UnsafeMutableRawPointer
        ) -> Void
    ) -> @Sendable (Int) -> Case {
      { n in Case(inputs: [n, n], outputs: [n], call: { kernel($0, n, $1[0], $1[1], $1[2]) }, range: 12) }
    }
    return [
      "silu": map { $0.silu($1, $2, $3) },
      "gelu": map { $0.gelu($1, $2, $3) },
      "quick_gelu": map { $0.quick_gelu($1, $2, $3) },
      "silu_input_gradient": gradient { $0.silu_input_gradient($1, $2, $3, $4) },
      "gelu_input_gradient": gradient { $0.gelu_input_gradient($1, $2, $3, $4) },
      "quick_gelu_input_gradient": gradient { $0.quick_gelu_input_gradient($1, $2, $3, $4) },
      "add": gradient { $0.add($1, $2, $3, $4) },
      "geglu": { n in Case(inputs: [6 * n], outputs: [3 * n], call: { $0.geglu(3, n, $1[0], $1[1]) }) },
      "geglu_input_gradient": { n in
        Case(inputs: [3 * n, 6 * n], outputs: [6 * n], call: { $0.geglu_input_gradient(3, n, $1[0], $1[1], $1[2]) })
      },
      "layer_norm": { n in
        Case(
          inputs: [3 * n, n, n], outputs: [3 * n, 3, 3],
          call: { $0.layer_norm(3, n, 1e-2, $1[0], $1[1], $1[2], $1[3], $1[4], $1[5]) })
      },
      "layer_norm_input_gradient": { n in
        Case(
          inputs: [3 * n, 3 * n, n, 3, 3], outputs: [3 * n],
          call: { $0.layer_norm_input_gradient(3, n, $1[0], $1[1], $1[2], $1[3], $1[4], $1[5]) })
      },
      // Two groups of n channels inside rows that are three channels wider.
      "group_norm": { n in
        let (stride, pixels) = (2 * n + 3, 5)
        let span = stride * (pixels - 1) + 2 * n
        return Case(
          inputs: [span, 2 * n, 2 * n], outputs: [span, 2, 2],
          call: { $0.group_norm(pixels, stride, 2, n, 1e-2, $1[0], $1[1], $1[2], $1[3], $1[4], $1[5]) })
      },
      "group_norm_input_gradient": { n in
        let (stride, pixels) = (2 * n + 3, 5)
        let span = stride * (pixels - 1) + 2 * n
        return Case(
          inputs: [span, span, 2 * n, 2, 2], outputs: [span],
          call: { $0.group_norm_input_gradient(pixels, stride, 2, n, $1[0], $1[1], $1[2], $1[3], $1[4], $1[5]) })
      },
      "softmax_rows": { n in
        Case(
          inputs: [], outputs: [3 * n], call: { $0.softmax_rows(3, n, max(1, n / 2), 0.7, $1[0]) }, range: 60)
      },
      "softmax_rows_input_gradient": { n in
        Case(
          inputs: [3 * n], outputs: [3 * n], call: { $0.softmax_rows_input_gradient(3, n, 0.7, $1[0], $1[1]) })
      },
      "add_row": { n in Case(inputs: [3 * n, n], outputs: [3 * n], call: { $0.add_row(3, n, $1[0], $1[1], $1[2]) }) },
      "fill_rows": { n in Case(inputs: [n], outputs: [3 * n], call: { $0.fill_rows(3, n, n, $1[0], $1[1]) }) },
      "sum_rows": { n in Case(inputs: [3 * n], outputs: [n], call: { $0.sum_rows(3, n, $1[0], $1[1]) }) },
      "upsample_nearest_2x": { n in
        Case(inputs: [6 * n], outputs: [24 * n], call: { $0.upsample_nearest_2x(2, 3, n, $1[0], $1[1]) })
      },
      "upsample_nearest_2x_input_gradient": { n in
        Case(
          inputs: [24 * n], outputs: [6 * n],
          call: { $0.upsample_nearest_2x_input_gradient(2, 3, n, $1[0], $1[1]) })
      },
    ]
  }()

  /// The names of kernels.inc.
  static let names: [String] = {
    var names: [String] = []
    var index = 0
    while let name = inv_kernel_name(index) {
      names.append(String(cString: name))
      index += 1
    }
    return names
  }()

  @Test func everyKernelHasACase() {
    #expect(Set(Self.names) == Set(Self.cases.keys))
  }

  @Test(arguments: names)
  func agreesWithF64(name: String) throws {
    let make = try #require(Self.cases[name])
    for width in Self.widths {
      for isa in InstructionSet.available { run(make(width), "\(name) \(width)", isa) }
    }
  }

  private func run(_ test: Case, _ label: String, _ isa: InstructionSet) {
    // Outputs start with values too: softmax works in place, and strided outputs must keep what lies between rows.
    var state: UInt64 = 0x1234_5678_9ABC_DEF1
    let values = (test.inputs + test.outputs).map { count in
      (0..<count).map { _ -> Float in
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return Float((Double(state >> 11) / Double(1 << 53) * 2 - 1) * test.range)
      }
    }
    let narrow = values.map { GuardedBuffer($0) }
    let wide = values.map { GuardedBuffer($0.map(Double.init)) }
    test.call(inv_kernels_f32(inv_isa(isa.rawValue)).pointee, narrow.map(\.pointer))
    test.call(inv_kernels_f64().pointee, wide.map(\.pointer))
    for (index, (a, b)) in zip(narrow, wide).enumerated() {
      let (floats, doubles) = (a.floats, b.doubles)
      let scale = max(1e-3, doubles.map(abs).max() ?? 0)
      let worst = zip(floats, doubles).map { abs(Double($0) - $1) }.max() ?? 0
      let finite = floats.allSatisfy { $0.isFinite }
      #expect(
        finite && worst <= test.tolerance * scale, "\(label), instruction set \(isa), buffer \(index): off by \(worst)")
    }
  }
}
