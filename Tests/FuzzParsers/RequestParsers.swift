import Errors
import FoundationEssentials
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

/// The bodies of AUTOMATIC1111's and OpenAI's routes: the same JSON to both.
@Sendable func compatibleBody(_ bytes: [UInt8]) {
  guard let fields = try? RequestFields(json: ByteBuffer(bytes: bytes)) else { return }
  for fromPicture in [false, true] {
    do {
      _ = try A1111Request(fields, fromPicture: fromPicture, options: A1111Options.Values(), noModels)
    } catch let error as InversionError {
      precondition(error.code != .internal)
    } catch {}
  }
  _ = try? OpenAIRequest(fields, shelf: noModels)
}

/// A form with pictures, and the text that pictures carry.
@Sendable func multipartBody(_ bytes: [UInt8]) {
  refusing {
    let form = try MultipartForm(bytes, contentType: "multipart/form-data; boundary=x")
    precondition(form.texts.count + form.files.count <= bytes.count)
  }
}

@Sendable func infotext(_ bytes: [UInt8]) { _ = InfotextReader(String(decoding: bytes, as: UTF8.self)) }
