/// Where client and daemon meet when nobody says otherwise.
public enum SocketPath {
  /// `INVERSION_SOCKET`, else the user's own, else the system's.
  public static func standard(environment: [String: String]) -> String {
    if let path = environment["INVERSION_SOCKET"], !path.isEmpty { return path }
    if let folder = environment["XDG_RUNTIME_DIR"], !folder.isEmpty { return "\(folder)/inversiond.sock" }
    return "/run/inversiond.sock"
  }
}

/// Of both programs and of the protocol's two ends.
public let projectVersion = "0.1.0"
