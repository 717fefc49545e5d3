import ArgumentParser
import Daemon
import Errors

/// A flag for each setting of a configuration file, with the same name.
struct SettingFlags: ParsableArguments {
  @Option(help: ArgumentHelp("A folder of models. May be given several times.", valueName: "dir"))
  var models: [String] = []

  @Option(help: ArgumentHelp("A model's name, a diffusers folder or a checkpoint file.", valueName: "model"))
  var model: String?

  @Option(help: ArgumentHelp("Folder of learned words.", valueName: "dir"))
  var embeddings: String?

  @Option(
    help: ArgumentHelp(
      "Keeps what was read of a large embeddings folder. By default $CACHE_DIRECTORY or ~/.cache/inversion.",
      valueName: "dir"))
  var cache: String?

  @Option(
    help: ArgumentHelp(
      "Where to listen. By default $INVERSION_SOCKET, $XDG_RUNTIME_DIR/inversiond.sock or /run/inversiond.sock.",
      valueName: "path"))
  var socket: String?

  @Option(help: ArgumentHelp("Permissions of the socket. By default 660.", valueName: "octal"))
  var socketMode: String?

  @Option(help: ArgumentHelp("Threads that make pictures. By default one a processor.", valueName: "n"))
  var threads: Int?

  @Option(
    help: ArgumentHelp(
      "Weights and activations of a model that is no package: int8, f16 or bf16 (weights), f32. By default int8.",
      valueName: "precision"))
  var precision: String?

  @Option(
    help: ArgumentHelp(
      "What making pictures may take: '300M', '2G'. Less is slower, 128M is the least for Stable Diffusion 1.5. By "
        + "default what is fastest where it fits, else what is left.", valueName: "size"))
  var memoryBudget: String?

  @Option(help: ArgumentHelp("Seconds that jobs get to finish on stop. By default 30.", valueName: "s"))
  var drainSeconds: Int?

  @Option(
    help: ArgumentHelp(
      "With a socket of systemd's: ends after so long without a client; the next one starts it again.",
      valueName: "s"))
  var idleExitSeconds: Int?

  @Option(help: ArgumentHelp("Jobs that may wait. By default 32.", valueName: "n"))
  var waiting: Int?

  @Option(help: ArgumentHelp("Jobs of one user that may wait. By default 8.", valueName: "n"))
  var waitingPerUser: Int?

  @Option(
    help: ArgumentHelp("Pixels times steps of one request, over all its pictures. By default any.", valueName: "n"))
  var pixelSteps: Int?

  @Option(help: ArgumentHelp("Pictures that one user may ask for in a minute. By default any.", valueName: "n"))
  var requestsPerMinute: Int?

  @Option(
    help: ArgumentHelp("Ends a job after so long, its time in the queue included. By default never.", valueName: "s"))
  var jobSeconds: Int?

  @Option(
    help: ArgumentHelp(
      "A model that nobody has asked for leaves the memory after so long. By default it stays.", valueName: "s"))
  var keepAliveSeconds: Int?

  @Option(
    help: ArgumentHelp(
      "Who may ask for pictures: a user, '@' and a group, or '*', the default. May be given several times.",
      valueName: "who"))
  var generate: [String] = []

  @Option(help: ArgumentHelp("Who may also add and remove words. By default '*'.", valueName: "who"))
  var manage: [String] = []

  @Option(help: ArgumentHelp("Who may also end other users' jobs and reload. By default root alone.", valueName: "who"))
  var admin: [String] = []

  /// Puts what was given over a file's settings.
  /// - Throws: `.invalidArgument` with the flag and what it may be.
  func apply(to file: inout ConfigurationFile) throws(InversionError) {
    try file.set("models", models)
    try file.set("model", model)
    try file.set("embeddings", embeddings)
    try file.set("cache", cache)
    try file.set("socket", socket)
    try file.set("socket_mode", socketMode)
    try file.set("threads", threads)
    try file.set("precision", precision)
    try file.set("memory_budget", memoryBudget)
    try file.set("drain_seconds", drainSeconds)
    try file.set("idle_exit_seconds", idleExitSeconds)
    try file.set("limits.waiting", waiting)
    try file.set("limits.waiting_per_user", waitingPerUser)
    try file.set("limits.pixel_steps", pixelSteps)
    try file.set("limits.requests_per_minute", requestsPerMinute)
    try file.set("limits.job_seconds", jobSeconds)
    try file.set("limits.keep_alive_seconds", keepAliveSeconds)
    try file.set("access.generate", generate)
    try file.set("access.manage", manage)
    try file.set("access.admin", admin)
  }
}
