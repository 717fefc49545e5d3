import Client
import Daemon
import DaemonTestSupport
import Errors
import Foundation
import Generation
import Testing
import Wire

/// Other programs' APIs, below what their clients show (ClientTests runs those).
@Suite(.timeLimit(.minutes(15))) struct CompatibilityTests {
  // MARK: Forms

  private static let form = [
    "--x y", "Content-Disposition: form-data; name=\"prompt\"", "", "a fox\r\nand a --x", "--x y",
    "content-disposition: form-data; name=image; filename=\"a.png\"", "Content-Type: image/png", "", "\u{1}\r\n\u{2}",
    "--x y--", "",
  ].joined(separator: "\r\n")
  private static let contentType = "multipart/form-data; boundary=\"x y\""

  @Test func formsAreTakenApart() throws {
    let form = try MultipartForm(Array(Self.form.utf8), contentType: Self.contentType)
    #expect(form.texts == ["prompt": "a fox\r\nand a --x"])
    #expect(form.files == ["image": [[1, 13, 10, 2]]])
  }

  @Test func aFormThatBreaksOffAnywhereIsRefused() {
    let whole = Array(Self.form.utf8)
    // Without the last line break, and the last two dashes, it is still a form.
    for count in 0..<whole.count - 4 {
      #expect(throws: InversionError.self) {
        try MultipartForm(Array(whole[..<count]), contentType: Self.contentType)
      }
    }
  }

  @Test(arguments: [
    ("text/plain; boundary=x", "--x\r\n\r\n--x--"), ("multipart/form-data", "--x\r\n\r\n--x--"),
    ("multipart/form-data; boundary=x", "--x\r\n\r\n\r\n\r\n--x--"),
    ("multipart/form-data; boundary=x", String(repeating: "--x\r\n", count: 3)),
    (
      "multipart/form-data; boundary=x",
      String(repeating: "--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n", count: 65) + "--x--"
    ),
    (
      "multipart/form-data; boundary=x",
      "--x\r\nContent-Disposition: form-data; name=a\r\n\(String(repeating: "y", count: 9000))\r\n\r\n1\r\n--x--"
    ),
  ]) func otherFormsAreRefused(contentType: String, body: String) {
    let error = #expect(throws: InversionError.self) {
      try MultipartForm(Array(body.utf8), contentType: contentType)
    }
    #expect(error?.code == .invalidArgument)
  }

  // MARK: Infotext

  @Test func whatInfotextSaysIsReadAgain() {
    var request = GenerationRequest(prompt: "a fox, \"quick\": yes\nand red")
    request.negativePrompt = "blurry\nSteps: 3"
    request.clipSkip = 2
    let used = [UsedEmbedding(name: "<a, b>", sha256: String(repeating: "ab", count: 32), generation: 1, vectors: 1)]
    request.seed = 7
    let text = Infotext(request: request, picture: 0, width: 64, height: 32, model: "my \"model\": x", used: used).text
    let read = InfotextReader(text).parameters
    #expect(read["Prompt"] == request.prompt && read["Negative prompt"] == request.negativePrompt)
    #expect(read["Steps"] == "20" && read["Seed"] == "7" && read["Clip skip"] == "2")
    #expect(read["Size-1"] == "64" && read["Size-2"] == "32" && read["Model"] == "my \"model\": x")
    #expect(read["TI hashes"] == "<a, b>: abababababab")
  }

  @Test(arguments: ["", "\n", "a fox", "a: b", "a, b: \"unclosed, c: d", "\"\\", ": , : , :", "é:\u{301}"])
  func anyTextIsReadWithoutAFault(text: String) {
    let read = InfotextReader(text).parameters
    if text == "a fox" { #expect(read["Prompt"] == "a fox") }
  }

  // MARK: Errors

  private func post(_ daemon: LiveDaemon, _ path: String, _ body: String) async throws -> (head: String, body: String) {
    let connection = try #require(RawConnection(daemon.socketPath))
    await connection.send(
      "POST \(path) HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
    let answer = await connection.receive()
    let split = try #require(answer.range(of: "\r\n\r\n"))
    return (String(answer[..<split.lowerBound]), String(answer[split.upperBound...]))
  }

  @Test(arguments: [
    (
      "/sdapi/v1/txt2img", "{\"sampler_name\":\"x\"}", 404,
      "{\"body\":\"\",\"detail\":\"Sampler not found\",\"error\":\"HTTPException\",\"errors\":\"\"}"
    ),
    (
      "/sdapi/v1/txt2img", "{\"steps\":\"x\"}", 422,
      "{\"detail\":[{\"loc\":[\"body\",\"steps\"],\"msg\":\"value is not a valid integer\","
        + "\"type\":\"type_error.integer\"}]}"
    ),
    (
      "/sdapi/v1/txt2img", "[]", 422,
      "{\"detail\":[{\"loc\":[\"body\"],\"msg\":\"value is not a valid dict\",\"type\":\"type_error.dict\"}]}"
    ),
    (
      "/sdapi/v1/img2img", "{}", 404,
      "{\"body\":\"\",\"detail\":\"Init image not found\",\"error\":\"HTTPException\",\"errors\":\"\"}"
    ),
    (
      "/sdapi/v1/img2img", "{\"init_images\":[\"AAAA\"]}", 422,
      "{\"body\":\"\",\"detail\":\"'init_images': no PNG, JPEG or WebP picture; convert it to one of them\","
        + "\"error\":\"bad_picture\","
        + "\"errors\":\"'init_images': no PNG, JPEG or WebP picture; convert it to one of them\"}"
    ),
    ("/sdapi/v1/nothing", "{}", 404, "{\"detail\":\"Not Found\"}"),
    ("/sdapi/v1/samplers", "{}", 405, "{\"detail\":\"Method Not Allowed\"}"),
    (
      "/v1/images/generations", "{}", 400,
      "{\"error\":{\"code\":\"missing_required_parameter\",\"message\":\"Missing required parameter: 'prompt'.\","
        + "\"param\":\"prompt\",\"type\":\"invalid_request_error\"}}"
    ),
    (
      "/v1/images/nothing", "{}", 404,
      "{\"error\":{\"code\":null,\"message\":\"Invalid URL (POST /v1/images/nothing)\",\"param\":null,"
        + "\"type\":\"invalid_request_error\"}}"
    ),
  ]) func errorsAreInTheWordsOfTheirAPI(path: String, body: String, status: Int, answer: String) async throws {
    let reply = try await post(LiveDaemon(), path, body)
    #expect(reply.head.hasPrefix("HTTP/1.1 \(status) "))
    #expect(reply.body == answer)
  }

  @Test func aMaskNeedsAPicture() async throws {
    let reply = try await post(LiveDaemon(), "/v1/generate", "{\"prompt\":\"x\",\"mask\":\"AAAA\"}")
    #expect(reply.head.hasPrefix("HTTP/1.1 400 ") && reply.body.contains("'mask' needs 'init_image'"))
    let text = try await post(LiveDaemon(), "/v1/generate", "{\"prompt\":\"x\",\"init_image\":\"%\"}")
    #expect(text.head.hasPrefix("HTTP/1.1 400 ") && text.body.contains("'init_image': not a picture file in base64"))
  }

  // MARK: Interrupt

  @Test func anInterruptedJobAnswersWhatItHas() async throws {
    let gate = StepGate()
    let daemon = try LiveDaemon(FastMaker(gate: gate))
    let asked = Task { try await post(daemon, "/sdapi/v1/txt2img", "{\"width\":16,\"height\":16,\"steps\":1000}") }
    while try await daemon.client.status().current == nil { await Task.yield() }
    let progress = try await post(daemon, "/sdapi/v1/interrupt", "")
    #expect(progress.head.hasPrefix("HTTP/1.1 200 "))
    // A job that goes on would wait at the gate for ever.
    gate.open(steps: 1)
    let reply = try await asked.value
    #expect(reply.head.hasPrefix("HTTP/1.1 200 ") && reply.body.contains("\"images\":[\"iVBOR"))
  }
}
