@testable import Formats

/// The pickle machine alone, pickle after pickle as in torch's legacy files, so that no zip checksum stands in the
/// fuzzer's way.
@Sendable func fuzzPickle(_ bytes: [UInt8]) {
  bytes.withUnsafeBytes { bytes in
    do {
      var machine = PickleMachine(allowsModules: true)
      var reader = ByteReader(bytes)
      while reader.remaining > 0 {
        let value = try machine.run(&reader)
        _ = try TorchValue(value, of: machine)
      }
    } catch is FormatFault {
    } catch {
      preconditionFailure("\(error)")
    }
  }
}

/// The zip reader alone, with the content of every member.
@Sendable func fuzzZip(_ bytes: [UInt8]) {
  bytes.withUnsafeBytes { bytes in
    guard let archive = try? ZipArchive(bytes) else { return }
    for member in archive.members.values {
      let content = try? archive.content(of: member, inflatedLimit: 1 << 20)
      precondition(content.map { $0.count == member.size } ?? true)
    }
  }
}
