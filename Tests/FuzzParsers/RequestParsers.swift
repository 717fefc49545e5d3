import Errors
import FoundationEssentials
import Generation
import Images
import NIOCore
import Wire

@testable import Daemon

/// The body of `POST /v1/generate`, up to a checked order.
@Sendable func generateBody(_ bytes: [UInt8]) {
  refusing {
    guard let request = try? JSONDecoder().decode(GenerateRequest.self, from: Data(bytes)) else { return }
    _ = try Order(request)
  }
}

private let noModels = ModelShelf(default: "emoji-64", NoModels())

private struct NoModels: ModelCatalog {
  func names() -> [String] { [] }
  func load(_ name: String) throws -> any PictureMaker { throw InversionError(.notFound, "'\(name)': no such model") }
}

/// The bodies of AUTOMATIC1111's and OpenAI's routes: the same JSON to all, up to checked orders, settings and the
/// parameters of a picture.
@Sendable func compatibleBody(_ bytes: [UInt8]) {
  guard let fields = try? RequestFields(json: ByteBuffer(bytes: bytes)) else { return }
  let options = A1111Options()
  refusingInTheirWords { try options.set(fields, noModels) }
  for fromPicture in [false, true] {
    refusingInTheirWords {
      _ = try A1111Request(fields, fromPicture: fromPicture, options: options.values, noModels)
    }
  }
  refusingInTheirWords { _ = try OpenAIRequest(fields, shelf: noModels) }
  if let text = try? fields.string("image"), let file = PictureFile(base64: text) {
    _ = InfotextReader(readParameters(file.bytes) ?? "")
  }
}

/// A form with pictures, up to a checked order.
@Sendable func multipartBody(_ bytes: [UInt8]) {
  refusingInTheirWords {
    let form = try MultipartForm(bytes, contentType: "multipart/form-data; boundary=x")
    precondition(form.texts.count + form.files.count <= bytes.count)
    let fields = RequestFields(form.texts.mapValues { .string($0) })
    _ = try OpenAIRequest(fields, shelf: noModels, start: StartingPicture(form, fields))
  }
}

/// As `refusing`, where the error may also be one of the other servers' own.
private func refusingInTheirWords(_ body: () throws -> Void) {
  refusing {
    do { try body() } catch is FieldError {} catch is A1111Error {} catch is OpenAIError {}
  }
}

@Sendable func infotext(_ bytes: [UInt8]) { _ = InfotextReader(String(decoding: bytes, as: UTF8.self)) }
