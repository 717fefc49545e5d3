import Errors
import Glibc
import Hummingbird
import Measurement
import Wire

func statusRoutes(_ services: Services) -> [Route] {
  [
    Route(method: .get, path: "/v1/models") { _, _ in
      let shelf = services.generation.shelf
      return Response(.ok, ModelsReply(models: shelf.names.map(shelf.reply)))
    },
    Route(method: .get, path: "/v1/models/:name") { _, context in
      let name = try context.pathParameter("name")
      return Response(.ok, ModelsReply.Entry(id: try services.generation.shelf.resolve(name)))
    },
    Route(method: .get, path: "/v1/ps") { _, _ in
      let keepAlive = await services.generation.limits.keepAlive
      let isInUse = await services.generation.load.current != nil
      let loaded = services.generation.shelf.process(keepAlive: keepAlive, isInUse: isInUse)
      return Response(.ok, ProcessesReply(models: [loaded].compactMap { $0 }))
    },
    Route(method: .get, path: "/v1/status") { _, context in
      Response(.ok, await status(services, for: context.peer))
    },
    Route(method: .post, path: "/v1/reload", role: .admin) { _, _ in
      try await services.reload()
      return Response(.ok, ReloadReply(generation: services.store.table.generation))
    },
    Route(method: .get, path: "/healthz", role: .none) { _, _ in
      await services.generation.isDraining
        ? Response(.serviceUnavailable, HealthReply(status: "draining")) : Response(.ok, HealthReply(status: "ok"))
    },
  ]
}

private func status(_ services: Services, for peer: Peer?) async -> StatusReply {
  let generation = services.generation
  let table = services.store.table
  let load = await generation.load
  let room = MemoryRoom.now()
  return StatusReply(
    pid: getpid(), version: Daemon.version,
    uptimeSeconds: ((ContinuousClock.now - services.started) / .milliseconds(1)).rounded() / 1000,
    model: generation.shelf.reply(generation.shelf.defaultName),
    embeddings: StatusReply.Store(
      folder: services.store.folder, generation: table.generation, inForce: table.embeddings.count,
      rejected: table.rejected.count),
    queue: StatusReply.Queue(waiting: load.waiting, limit: await generation.limits.waiting), current: load.current,
    residentBytes: residentBytes(), room: StatusReply.Room(availableBytes: room.available, bound: room.bound),
    you: StatusReply.You(uid: peer?.user ?? .max, role: services.access.policy.role(of: peer).name))
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
