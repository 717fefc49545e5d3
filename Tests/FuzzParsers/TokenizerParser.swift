import Glibc
import Tokenizer

/// A tokenizer folder: the input is its `tokenizer.json`, or its `vocab.json`, a zero byte and its `merges.txt`. What
/// loads must also encode and decode.
@Sendable func tokenizer(_ bytes: [UInt8]) {
  // In memory: a disk would be the fuzzer's bottleneck.
  let folder = "/dev/shm/inversion-fuzz-\(getpid())"
  mkdir(folder, 0o700)
  let parts = bytes.split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false)
  let files = parts.count == 2 ? ["vocab.json", "merges.txt"] : ["tokenizer.json"]
  for (name, part) in zip(files, parts) { write(part, to: "\(folder)/\(name)") }
  defer { for name in files { unlink("\(folder)/\(name)") } }
  refusing {
    let tokenizer = try CLIPTokenizer(folder: folder)
    let ids = tokenizer.encode("a photo of <cat-toy> Ünïcode 猫 it's 42!")
    precondition(ids.allSatisfy { $0 >= 0 && Int($0) < tokenizer.vocabularySize })
    _ = tokenizer.decode(ids)
  }
}

private func write(_ bytes: ArraySlice<UInt8>, to path: String) {
  let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
  precondition(file >= 0 && bytes.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) } == bytes.count)
  close(file)
}
