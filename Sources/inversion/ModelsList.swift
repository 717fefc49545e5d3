import ArgumentParser
import Import

struct ModelsList: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "List the models, and what is no model, with the reason.")

  @OptionGroup var models: ModelsOption
  @OptionGroup var listing: ListingOption

  func run() throws {
    let entries = try ModelLibrary(models.folder).list()
    let rows = entries.filter { $0.problem == nil }.map { entry in
      [
        entry.name, readable(bytes: entry.bytes ?? 0), readable(layers: entry.layers), entry.source ?? "-",
        entry.date ?? "-",
      ]
    }
    try listing.show(entries, rows: [["NAME", "SIZE", "LAYERS", "SOURCE", "IMPORTED"]] + rows)
    for entry in entries { if let problem = entry.problem { note("'\(entry.name)' cannot be used: \(problem)") } }
  }
}
