import CSystemd
import Hummingbird
import HummingbirdCore
import NIOCore

func metricsRoutes(_ services: Services) -> [Route] {
  [
    Route(method: .get, path: "/metrics") { _, _ in
      let text = await services.metricsText()
      return Response(
        status: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
        body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }
  ]
}

extension Services {
  fileprivate func metricsText() async -> String {
    let counts = metrics.current
    let load = await generation.load
    let table = store.table
    var text = PrometheusText()
    text.add("up_seconds", .gauge, "Time since the start.", (ContinuousClock.now - started) / .seconds(1))
    text.add("jobs_total", .counter, "Jobs that have ended, by how.", labelled("end", counts.jobs))
    text.add("pictures_total", .counter, "Pictures made.", Double(counts.pictures))
    text.add("steps_total", .counter, "Denoising steps of jobs that have ended.", Double(counts.steps))
    text.add("job_seconds_total", .counter, "Time of jobs from arrival to end.", counts.jobSeconds)
    let answers = Dictionary(uniqueKeysWithValues: counts.answers.map { ("\($0)", $1) })
    text.add("answers_total", .counter, "HTTP answers, by status.", labelled("status", answers))
    text.add("clients_left_total", .counter, "Clients that left before their answer's end.", Double(counts.clientsLeft))
    text.add("jobs_waiting", .gauge, "Jobs in the queue.", Double(load.waiting))
    text.add("jobs_running", .gauge, "Jobs that run.", load.current == nil ? 0 : 1)
    text.add("embeddings", .gauge, "Embeddings in force.", Double(table.embeddings.count))
    text.add("embeddings_rejected", .gauge, "Embedding files that are not in force.", Double(table.rejected.count))
    text.add("embeddings_generation", .gauge, "Changes of the embeddings.", Double(table.generation))
    text.add("resident_bytes", .gauge, "Memory of the process.", Double(residentBytes()))
    text.add("allocated_bytes", .gauge, "Memory allocated and not freed.", Double(csystemd_allocated_bytes()))
    text.add("peak_bytes", .gauge, "The largest memory that it has had.", Double(peakBytes()))
    return text.text
  }

  private func labelled(_ label: String, _ counts: [String: Int]) -> [(labels: String, value: Double)] {
    counts.sorted { $0.key < $1.key }.map { ("\(label)=\"\($0.key)\"", Double($0.value)) }
  }
}
