import Errors
import Glibc
import Hummingbird
import Wire

func statusRoutes(_ services: Services) -> [Route] {
  [
    Route(method: .get, path: "/v1/models") { _, _ in
      Response(.ok, ModelsReply(models: [ModelReply(services.generation.maker)]))
    },
    Route(method: .get, path: "/v1/models/:name") { _, context in
      let name = try context.pathParameter("name")
      guard name == services.generation.maker.modelName else {
        throw InversionError(.notFound, "'\(name)': no such model; GET /v1/models lists all")
      }
      return Response(.ok, ModelsReply.Entry(id: name))
    },
    Route(method: .get, path: "/v1/status") { _, _ in
      Response(.ok, await status(services))
    },
    Route(method: .get, path: "/healthz") { _, _ in
      await services.generation.isDraining
        ? Response(.serviceUnavailable, HealthReply(status: "draining")) : Response(.ok, HealthReply(status: "ok"))
    },
  ]
}

private func status(_ services: Services) async -> StatusReply {
  let generation = services.generation
  let table = services.store.table
  let load = await generation.load
  return StatusReply(
    pid: getpid(), version: Daemon.version,
    uptimeSeconds: ((ContinuousClock.now - services.started) / .milliseconds(1)).rounded() / 1000,
    model: ModelReply(generation.maker),
    embeddings: StatusReply.Store(
      folder: services.store.folder, generation: table.generation, inForce: table.embeddings.count,
      rejected: table.rejected.count),
    queue: StatusReply.Queue(waiting: load.waiting, limit: generation.limits.waiting), current: load.current,
    residentBytes: residentBytes())
}

/// Resident memory of this process; 0 where /proc is not there.
func residentBytes() -> Int {
  guard let file = fopen("/proc/self/statm", "re") else { return 0 }
  defer { fclose(file) }
  var line = [CChar](repeating: 0, count: 128)
  guard fgets(&line, Int32(line.count), file) != nil else { return 0 }
  // The second number: resident pages.
  let fields = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self).split(
    separator: " ")
  guard fields.count > 1, let pages = Int(fields[1]) else { return 0 }
  return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
}
