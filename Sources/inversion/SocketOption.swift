import ArgumentParser
import Client
import Foundation
import Wire

/// The flag of all commands that ask the daemon.
struct SocketOption: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The daemon's socket. By default $INVERSION_SOCKET, $XDG_RUNTIME_DIR/inversiond.sock or /run/inversiond.sock.",
      valueName: "path"))
  var socket: String?

  var client: DaemonClient {
    DaemonClient(socketPath: socket ?? SocketPath.standard(environment: ProcessInfo.processInfo.environment))
  }
}
