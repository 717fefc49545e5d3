"""schemathesis on the daemon's own OpenAPI document: requests of every kind to every route, and none may be answered
against the document, with a server's error, or not at all."""

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

# Some bodies that the schema allows are refused for reasons that it cannot say: fields that exclude one another, names
# of models, pictures in base64.
EXCLUDED = "positive_data_acceptance"


def forward(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def listen(path: str) -> int:
    """A port in front of the Unix socket: schemathesis knows TCP alone."""
    server = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            client, _ = server.accept()
            daemon = socket.socket(socket.AF_UNIX)
            daemon.connect(path)
            for pair in ((client, daemon), (daemon, client)):
                threading.Thread(target=forward, args=pair, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return server.getsockname()[1]


def main() -> None:
    url = f"http://127.0.0.1:{listen(os.environ['SOCKET'])}"
    examples = os.environ.get("EXAMPLES", "8")
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "run", f"{url}/openapi.json", "--url", url, "--phases",
        "examples,coverage,fuzzing", "--exclude-checks", EXCLUDED, "--max-examples", examples, "--seed", "1",
        "--generation-deterministic", "--no-color", "--warnings", "off", "--request-timeout", "30",
    ]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=os.environ.get("FOLDER", "."))
    if ended.returncode != 0:
        sys.exit(ended.stdout[-20000:] + ended.stderr[-2000:])
    print("schemathesis: done")


main()
