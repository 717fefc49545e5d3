import ArgumentParser
import Import
import Models
import Wire

struct ModelsImport: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "import", abstract: "Import a diffusers folder or a checkpoint file.",
    usage: "inversion models import [<options>] <source> --name <name>",
    discussion: """
      Checkpoints are Stable Diffusion 1.x and 2.x in one file: .safetensors, .ckpt (read without running anything in \
      it), or .gguf in F16, Q8_0, Q4_0, Q4_1, Q5_0 or Q5_1. The source is read tensor by tensor and not changed. Until \
      the import is complete, there is no model of that name.
      """)

  @Argument(help: ArgumentHelp("A diffusers folder or a checkpoint file.", valueName: "source"))
  var source: String

  @Option(help: "What to call it.")
  var name: String

  @Option(
    help: ArgumentHelp(
      "The layers' precision, as 'inversion models analyze' proposes it. By default int8 where that is known to be "
        + "safe.", valueName: "file"))
  var plan: String?

  @Flag(help: "Take the place of a model of that name.")
  var replace = false

  @OptionGroup var models: ModelsOption
  @OptionGroup var listing: ListingOption

  func run() throws {
    let plan = try plan.map { try PlanFile(path: $0).plan() } ?? .int8
    let modelImport = try ModelImport(
      source: source, name: name, into: models.folder, plan: plan, replaces: replace,
      tool: "inversion \(projectVersion)")
    let progress = ImportProgress()
    defer { progress.end() }
    try modelImport.run { progress.show($0) }
    progress.end()
    let details = try ModelLibrary(models.folder).show(name)
    try listing.show(details, rows: details.rows)
  }
}
