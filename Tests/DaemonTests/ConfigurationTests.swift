import Client
import Daemon
import DaemonTestSupport
import Errors
import Foundation
import Testing

/// Configuration files: what they say, and where they are wrong.
@Suite struct ConfigurationTests {
  private func read(_ text: String) throws -> ConfigurationFile {
    let folder = try TemporaryFolder()
    let path = folder.path + "/c.toml"
    try text.write(toFile: path, atomically: false, encoding: .utf8)
    return try ConfigurationFile(path: path)
  }

  @Test func theSampleIsWhatItSays() throws {
    let top = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let path = top.appending(path: "units/inversiond.toml").path
    let file = try ConfigurationFile(path: path)
    #expect(file.model == "emoji-64" && file.models.last == "/usr/share/inversion/models")
    #expect(file.limits.waiting == GenerationService.Limits().waiting)
    // What stands in a comment as a default or an example can be switched on.
    let text = try String(contentsOfFile: path, encoding: .utf8)
    let examples = text.split(separator: "\n").filter { $0.hasPrefix("# ") && $0.contains(" = ") }.count
    #expect(examples >= 7)
    let all = text.split(separator: "\n").map { $0.hasPrefix("# ") && $0.contains(" = ") ? $0.dropFirst(2) : $0 }
    let switched = try read(all.joined(separator: "\n"))
    #expect(switched.threads == 2 && switched.socketMode == 0o660 && switched.drain == .seconds(30))
    #expect(switched.limits.pixelSteps == 13_107_200 && switched.limits.requestsPerMinute == 30)
    #expect(switched.limits.jobTime == .seconds(600) && switched.limits.waiting == file.limits.waiting)
    #expect(switched.memoryBudget.bytes == 300 << 20 && switched.idleExit == .seconds(900))
    #expect(switched.cache == "/var/cache/inversion" && switched.limits.keepAlive == .seconds(300))
    // And nothing is left out, here and in the documents.
    let document = try String(contentsOf: top.appending(path: "docs/service.md"), encoding: .utf8)
    for name in ConfigurationFile.names {
      let key = name.split(separator: ".").last ?? ""
      #expect(all.contains { $0.hasPrefix("\(key) = ") }, "\(name)")
      #expect(document.contains("`\(name)`"), "\(name)")
    }
  }

  @Test func flagsGoBeforeTheFile() throws {
    var file = try read("threads = 3\nmemory_budget = \"1G\"\n[limits]\nwaiting = 5")
    try file.set("limits.waiting", 7)
    try file.set("threads", nil as Int?)
    try file.set("memory_budget", "300M")
    #expect(file.precision == .int8)
    try file.set("precision", "f32")
    try file.set("embeddings", "words")
    try file.set("access.admin", ["0"])
    #expect(file.limits.waiting == 7 && file.threads == 3 && file.memoryBudget.bytes == 300 << 20)
    #expect(file.embeddings == "words" && file.precision == .f32)
    let error = #expect(throws: InversionError.self) { try file.set("limits.job_seconds", 0) }
    #expect(error?.message == "--job-seconds: give a whole number from 1 to 86400")
  }

  @Test func allKindsOfTextAreRead() throws {
    let file = try read(
      "model = 'C:\\n' # a comment\r\n embeddings\t= \"/a \\\"b\\\" \\\\#\"\n[ limits ]\nwaiting = 1_000\n"
        + "[access]\ngenerate = [ # everybody\n  \"*\",\n]\nadmin=[]")
    #expect(file.model == "C:\\n" && file.embeddings == "/a \"b\" \\#" && file.limits.waiting == 1000)
    #expect(file.access.role(of: Peer(user: 4_000_000, group: 1)) == .manage)
  }

  @Test(arguments: [
    ("model = ", 1, "a value is missing"), ("\n\nmodel", 3, "'=' is missing after 'model'"),
    ("model = x", 1, "'x' is no value; put texts in quotes"), ("model = \"x", 1, "no closing \""),
    ("model = \"x\nthreads = 1", 1, "no closing"), ("model = \"a\\q\"", 1, "'\\q' is no escape"),
    ("model = 'a' threads = 1", 1, "too much here"), ("model = 'a'\nmodel = 'b'", 2, "'model' is there twice"),
    ("[limits]\n[limits]", 2, "there twice"), ("[limits", 1, "must end with ']'"), ("[[x]]", 1, "arrays of tables"),
    ("a = {}", 1, "inline tables"), ("a = '''x'''", 1, "several lines"), ("= 1", 1, "a name is missing"),
    ("\nmodle = 'x'", 2, "'modle' is no setting"), ("[limits]\nwaiting = 0", 2, "whole number from 1 to 10000"),
    ("[limits]\nwaiting = '3'", 2, "whole number"), ("threads = 2.5", 1, "whole number"),
    ("precision = 'int4'", 1, "'int4' is no precision; there are int8, f16, bf16, f32"),
    ("memory_budget = 'much'", 1, "'much' is no size such as 300M"), ("memory_budget = 300", 1, "a text in quotes"),
    ("idle_exit_seconds = 0", 1, "whole number from 1"), ("cache = 'a'", 1, "begin it with '/'"),
    ("socket = 'a'", 1, "begin it with '/'"), ("socket_mode = \"999\"", 1, "\"0660\""),
    ("[access]\nadmin = 'root'", 2, "array of texts"), ("[access]\nadmin = [1]", 2, "texts in quotes"),
    ("[access]\nadmin = [\n  'nobody-knows-me',\n]", 2, "no user 'nobody-knows-me'"),
    ("[access]\nadmin = ['@nobody-knows-us']", 2, "no group 'nobody-knows-us'"), ("a = [[1]]", 1, "within arrays"),
    ("a = [1", 1, "must end with ']'"), ("a = 1979-05-27", 1, "no value"),
  ]) func whatIsWrongIsNamedWithItsLine(text: String, line: Int, reason: String) throws {
    let error = #expect(throws: InversionError.self) { try read(text) }
    #expect(error?.code == .invalidArgument)
    #expect(error?.message.contains("c.toml':\(line): ") == true, "\(error?.message ?? "")")
    #expect(error?.message.contains(reason) == true, "\(error?.message ?? "")")
  }

  @Test func bytesThatAreNoTextAndFilesThatAreNotThere() throws {
    let folder = try TemporaryFolder()
    try Data([0xFF, 0xFE]).write(to: URL(filePath: folder.path + "/c.toml"))
    for (name, code) in [("c.toml", InversionError.Code.invalidArgument), ("none", .fileUnavailable)] {
      let error = #expect(throws: InversionError.self) { try ConfigurationFile(path: folder.path + "/" + name) }
      #expect(error?.code == code)
    }
  }

  @Test(.timeLimit(.minutes(15))) func aReloadTakesTheSettingsOverOrChangesNothing() async throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/c.toml"
    func write(_ text: String) throws { try text.write(toFile: path, atomically: false, encoding: .utf8) }
    let daemon = try LiveDaemon { $0.reread = { try ConfigurationFile(path: path) } }
    try write("[limits]\nwaiting = 5")
    _ = try await daemon.client.reload()
    #expect(try await daemon.client.status().queue.limit == 5)
    try write("[limits]\nwaiting = 6\nwait = 7")
    let error = await #expect(throws: InversionError.self) { try await daemon.client.reload() }
    #expect(error?.message == "'\(path)':3: 'limits.wait' is no setting; see inversiond(8)")
    #expect(try await daemon.client.status().queue.limit == 5)
  }

  /// Every prefix of a file is read or refused, and none makes the reader fall.
  @Test func aFileThatBreaksOffAnywhere() throws {
    let text = "model = \"a\\\"b\"\n[limits]\nwaiting = 1_0 # c\n[access]\nadmin = [ 'root', \"*\" ]\n"
    for count in 0..<text.count {
      let part = String(text.prefix(count))
      do { _ = try read(part) } catch let error as InversionError { #expect(error.code == .invalidArgument) }
    }
  }
}
