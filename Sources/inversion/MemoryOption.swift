import ArgumentParser
import Errors
import Models

/// The flag of all commands that compute with a model themselves.
struct MemoryOption: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "What computing may take: '300M', '2G'. Less is slower, 128M is the least. By default what is fastest.",
      valueName: "size"))
  var memoryBudget: String?

  /// - Throws: `invalidArgument` for what is no size.
  func budget() throws -> MemoryBudget {
    guard let memoryBudget else { return .unlimited }
    guard let budget = MemoryBudget(text: memoryBudget) else {
      throw InversionError(.invalidArgument, "--memory-budget '\(memoryBudget)': give a size such as 300M or 2G")
    }
    return budget
  }
}
