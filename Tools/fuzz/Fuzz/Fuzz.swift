import FuzzParsers
import Glibc

/// libFuzzer calls this first. `INVERSION_FUZZ_PARSER` names the parser to feed: one program for all of them is built
/// and linked once.
@_cdecl("LLVMFuzzerInitialize")
public func fuzzInitialize(
  _ argumentCount: UnsafeMutablePointer<CInt>,
  _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>
) -> CInt {
  let name = getenv("INVERSION_FUZZ_PARSER").map { String(cString: $0) } ?? ""
  guard let parser = parsers[name] else {
    let names = parsers.keys.sorted().joined(separator: ", ")
    perror("set INVERSION_FUZZ_PARSER to one of \(names)")
    exit(64)
  }
  chosen = parser
  return 0
}

/// libFuzzer calls this with each input. A trap, a sanitizer's report, a hang or too much memory is a finding; an error
/// that is thrown is not.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  chosen(Array(UnsafeBufferPointer(start: start, count: count)))
  return 0
}

/// Set once, before the first input; libFuzzer has one thread.
nonisolated(unsafe) private var chosen: @Sendable ([UInt8]) -> Void = { _ in }
