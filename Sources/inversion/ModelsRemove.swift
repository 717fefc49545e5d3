import ArgumentParser
import Import

struct ModelsRemove: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "remove", abstract: "Delete a model.",
    discussion: "A daemon that serves it keeps it until it stops.")

  @Argument(help: "The model's name.")
  var name: String

  @OptionGroup var models: ModelsOption
  @OptionGroup var listing: ListingOption

  func run() throws {
    try ModelLibrary(models.folder).remove(name)
    try listing.show(["removed": name], rows: [["removed", name]])
  }
}
