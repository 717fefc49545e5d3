import ArgumentParser
import Import

struct ModelsShow: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "show", abstract: "Show one model in full.")

  @Argument(help: "The model's name.")
  var name: String

  @OptionGroup var models: ModelsOption
  @OptionGroup var listing: ListingOption

  func run() throws {
    let details = try ModelLibrary(models.folder).show(name)
    try listing.show(details, rows: details.rows)
  }
}

extension ModelDetails {
  /// One model in full, for people.
  var rows: [[String]] {
    [
      ["name", name], ["path", path], ["size", readable(bytes: bytes)], ["packing", packing], ["source", source],
      ["imported", "\(date) by \(tool)"],
    ] + layers.sorted { $0.key < $1.key }.map { ["layers", "\($0.key): \(readable(layers: $0.value))"] }
      + files.sorted { $0.key < $1.key }.map { ["file", "\($0.key), \(readable(bytes: $0.value))"] }
      + sourceSHA256.sorted { $0.key < $1.key }.map { ["source file", "\($0.key), sha256 \($0.value)"] }
  }
}
