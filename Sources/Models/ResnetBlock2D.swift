import Ops

/// GroupNorm, SiLU, convolution, twice, with the time embedding between and a shortcut around (diffusers' name).
struct ResnetBlock2D: Sendable {
  let path: String
  let norm1: NormParameters
  let conv1: Conv2d
  let timeEmbProj: Linear?
  let norm2: NormParameters
  let conv2: Conv2d
  let convShortcut: Conv2d?
  let groups: Int

  /// - Parameter timeChannels: of the time embedding; nil in the VAE.
  init(
    _ scope: WeightScope, _ inputs: Int, _ outputs: Int, timeChannels: Int?, groups: Int, eps: Double
  ) throws {
    path = scope.path
    self.groups = groups
    norm1 = try scope["norm1"].norm(inputs, eps: eps)
    conv1 = try scope["conv1"].conv2d(inputs, outputs)
    timeEmbProj = try timeChannels.map { try scope["time_emb_proj"].linear($0, outputs) }
    norm2 = try scope["norm2"].norm(outputs, eps: eps)
    conv2 = try scope["conv2"].conv2d(outputs, outputs)
    convShortcut = inputs == outputs ? nil : try scope["conv_shortcut"].conv2d(inputs, outputs, kernel: 1)
  }

  /// x (B, H, W, in) -> (B, H, W, out). `timeVector` (B, T) is the time embedding after SiLU.
  func callAsFunction(_ x: Activation, timeVector: Activation?, on tape: Tape) -> Activation {
    var h = tape.conv2d(tape.silu(tape.groupNorm(x, norm1, groups: groups)), conv1)
    if let timeEmbProj, let timeVector { h = tape.addToRows(h, tape.linear(timeVector, timeEmbProj)) }
    h = tape.conv2d(tape.silu(tape.groupNorm(h, norm2, groups: groups)), conv2)
    let y = tape.add(convShortcut.map { tape.conv2d(x, $0) } ?? x, h)
    tape.observe(path, y)
    return y
  }
}
