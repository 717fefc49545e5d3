import Glibc
import Synchronization

/// Set by the first SIGTERM or SIGINT.
private let stopWasAsked = Atomic<Bool>(false)

/// Turns the first SIGTERM or SIGINT into a wish that can be asked for; the second ends the process as ever.
struct StopSignals {
  init() {
    // Whoever started this process may have had them blocked, and that is inherited.
    var wanted = sigset_t()
    sigemptyset(&wanted)
    for number in [SIGTERM, SIGINT] { sigaddset(&wanted, number) }
    sigprocmask(SIG_UNBLOCK, &wanted, nil)
    for number in [SIGTERM, SIGINT] {
      var action = sigaction()
      action.__sigaction_handler.sa_handler = { _ in stopWasAsked.store(true, ordering: .relaxed) }
      action.sa_flags = Int32(bitPattern: UInt32(SA_RESETHAND)) | SA_RESTART
      sigaction(number, &action, nil)
    }
  }

  var isStopAsked: Bool { stopWasAsked.load(ordering: .relaxed) }
}
