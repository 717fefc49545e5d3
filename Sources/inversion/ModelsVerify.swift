import ArgumentParser
import Errors
import Import

struct ModelsVerify: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify", abstract: "Read every file of a model and compare it with its checksum.",
    discussion: "Exit status 65 when a file is damaged or missing.")

  @Argument(help: "The model's name.")
  var name: String

  @OptionGroup var models: ModelsOption
  @OptionGroup var listing: ListingOption

  func run() throws {
    let files = try ModelLibrary(models.folder).verify(name)
    try listing.show(files, rows: files.map { [$0.file, $0.problem ?? "ok"] })
    let damaged = files.filter { $0.problem != nil }.map { "'\($0.file)'" }
    guard damaged.isEmpty else {
      throw InversionError(
        .badFile, "'\(name)': damaged: \(damaged.joined(separator: ", ")); remove the model and import it again")
    }
  }
}
