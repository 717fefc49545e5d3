import ArgumentParser
import Errors
import Import
import Models
import Wire

struct ModelsPull: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pull", abstract: "Download a model that the manifest lists, and import it.",
    usage: "inversion models pull [<options>] <name>",
    discussion: """
      What has come stays when the download is interrupted, and the next call goes on there. Downloading needs the \
      program 'curl', and takes its proxies from the environment (https_proxy, no_proxy).
      """)

  @Argument(help: "The model's name in the manifest.")
  var name: String

  @Option(help: ArgumentHelp("What to call it here. By default the same.", valueName: "name"))
  var `as`: String?

  @Option(
    help: ArgumentHelp("Folder of the manifest. By default the one that came with this program.", valueName: "dir"))
  var manifest: String?

  @Option(help: ArgumentHelp("The layers' precision, as for 'inversion models import'.", valueName: "file"))
  var plan: String?

  @Flag(help: "Take the place of a model of that name.")
  var replace = false

  @Flag(help: "Keep the downloaded files too.")
  var keep = false

  @OptionGroup var models: ModelsOption
  @OptionGroup var listing: ListingOption

  func run() async throws {
    let plan = try plan.map { try PlanFile(path: $0).plan() } ?? .int8
    guard let manifests = manifest ?? installedPath("models-manifest") else {
      throw InversionError(.fileUnavailable, "no manifest came with this program; give its folder with '--manifest'")
    }
    let entry = try ModelManifest(name, in: manifests)
    note("\(entry.title), licence \(entry.license.name): \(entry.license.url)")
    let pull = try ModelPull(entry, as: self.as ?? name, into: models.folder, replaces: replace)
    let source: String
    if let bundled = entry.bundled {
      guard let path = installedPath(bundled) else {
        throw InversionError(.fileUnavailable, "'\(bundled)': did not come with this program")
      }
      source = path
    } else {
      let progress = DownloadProgress()
      defer { progress.end() }
      for (file, digest) in try await pull.download(progress: { progress.show($0) }).sorted(by: { $0.key < $1.key }) {
        progress.end()
        note("\(file): sha256 \(digest)")
      }
      source = pull.source
    }
    let modelImport = try ModelImport(
      source: source, name: pull.name, into: models.folder, plan: plan, replaces: replace,
      tool: "inversion \(projectVersion)")
    let progress = ImportProgress()
    defer { progress.end() }
    try modelImport.run { progress.show($0) }
    progress.end()
    if !keep { pull.removeDownloads() }
    let details = try ModelLibrary(models.folder).show(pull.name)
    try listing.show(details, rows: details.rows)
  }
}
