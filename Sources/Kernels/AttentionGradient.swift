import CKernels
import Tensors

/// The input gradients of `flashAttention`, without a matrix of scores: from the gradient dy of its output y, with the
/// shape, the precision and the `logSums` that made y, dq (batch * queries, heads * width) and dk and dv
/// (batch * keys, heads * width), all rows one after the other.
///
/// A head is one thread's work, so that no sum depends on how many there are. It takes about 5 * queries * width floats
/// of scratch, of 16-bit pairs 3.
public func flashAttentionGradients(
  q: HeadRows, k: HeadRows, v: HeadRows, y: HeadRows, dy: HeadRows, logSums: UnsafeRawPointer, _ shape: AttentionShape,
  _ precision: AttentionPrecision,
  into gradients: (dq: UnsafeMutableRawPointer, dk: UnsafeMutableRawPointer, dv: UnsafeMutableRawPointer),
  pool: BufferPool
) {
  let kernel = precision.kernel
  let (queries, keys, width) = (shape.queries, shape.keys, shape.width)
  let channels = shape.heads * width
  let sums = logSums.assumingMemoryBound(to: Float.self)
  Parallel.forEach(shape.batch * shape.heads, alone: !shape.isWorthCutting) { index in
    let (image, channel) = (index / shape.heads, index % shape.heads * width)
    func own(_ rows: HeadRows, _ tokens: Int) -> UnsafePointer<Float> {
      rows.start(image: image, tokens: tokens, channel: channel)
    }
    func own(_ rows: UnsafeMutableRawPointer, _ tokens: Int) -> UnsafeMutablePointer<Float> {
      rows.assumingMemoryBound(to: Float.self) + image * tokens * channels + channel
    }
    var gradient = inv_attention_gradient(
      queries: queries, keys: keys, width: width, scale: shape.scale, causal: shape.causal ? 1 : 0,
      q: own(q, queries), k: own(k, keys), v: own(v, keys), y: own(y, queries), dy: own(dy, queries),
      q_stride: q.stride, k_stride: k.stride, v_stride: v.stride, y_stride: y.stride, dy_stride: dy.stride,
      log_sums: sums + index * queries, dq: own(gradients.dq, queries), dk: own(gradients.dk, keys),
      dv: own(gradients.dv, keys), dq_stride: channels, dk_stride: channels, dv_stride: channels)
    let scratch = pool.allocate(byteCount: inv_attention_gradient_scratch_bytes(kernel, queries, width))
    kernel.pointee.gradient(&gradient, scratch.pointer)
  }
}
