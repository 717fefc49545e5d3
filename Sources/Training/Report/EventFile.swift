/// A file of TensorBoard's scalars: TFRecords, each with an `Event` message of protocol buffers.
struct EventFile {
  private(set) var bytes: [UInt8] = []

  /// - Parameter time: of the beginning, in seconds since 1970.
  init(time: Double) {
    // Event.file_version
    append(Self.field(1, double: time) + Self.field(3, bytes: Array("brain.Event:2".utf8)))
  }

  /// Adds a value of a curve.
  mutating func add(_ tag: String, _ value: Double, step: Int, time: Double) {
    // Summary.Value: tag, simple_value; Summary: value; Event: wall_time, step, summary
    let value = Self.field(1, bytes: Array(tag.utf8)) + Self.field(2, float: Float(value))
    append(
      Self.field(1, double: time) + Self.field(2, varint: UInt64(step))
        + Self.field(5, bytes: Self.field(1, bytes: value)))
  }

  /// A TFRecord: length, its checksum, data, its checksum.
  private mutating func append(_ event: [UInt8]) {
    let length = Self.littleEndian(UInt64(event.count))
    bytes += length + Self.littleEndian(CRC32C.masked(length)) + event + Self.littleEndian(CRC32C.masked(event))
  }

  private static func littleEndian(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }

  // MARK: Protocol buffers

  private static func varint(_ value: UInt64) -> [UInt8] {
    var (rest, out) = (value, [UInt8]())
    while rest >= 0x80 {
      out.append(UInt8(rest & 0x7F) | 0x80)
      rest >>= 7
    }
    return out + [UInt8(rest)]
  }

  /// Field number and wire type.
  private static func key(_ number: UInt64, _ type: UInt64) -> [UInt8] { varint(number << 3 | type) }

  private static func field(_ number: UInt64, varint value: UInt64) -> [UInt8] { key(number, 0) + varint(value) }

  private static func field(_ number: UInt64, double: Double) -> [UInt8] {
    key(number, 1) + littleEndian(double.bitPattern)
  }

  private static func field(_ number: UInt64, bytes: [UInt8]) -> [UInt8] {
    key(number, 2) + varint(UInt64(bytes.count)) + bytes
  }

  private static func field(_ number: UInt64, float: Float) -> [UInt8] {
    key(number, 5) + littleEndian(float.bitPattern)
  }
}

extension TrainingRecord {
  /// The curves as TensorBoard reads them; steps that were there before are the same bytes again.
  func events(start: Double) -> [UInt8] {
    var file = EventFile(time: start)
    for step in steps {
      let time = start + step.seconds
      file.add("loss/training", step.loss, step: step.step, time: time)
      if let loss = step.validationLoss { file.add("loss/validation", loss, step: step.step, time: time) }
      file.add("learning_rate", step.learningRate, step: step.step, time: time)
      file.add("norm/gradient", step.gradientNorm, step: step.step, time: time)
      file.add("norm/embedding", step.embeddingNorm, step: step.step, time: time)
    }
    return file.bytes
  }
}
