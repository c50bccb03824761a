"""Removes what a dead run left at a Docker daemon: every container that carries the run's label.

For the guard, which is started by every run and imports nothing but the standard library: HTTP over the daemon's Unix
socket is all that is needed, and the Docker SDK is not.
"""

from __future__ import annotations

import http
import http.client
import json
import socket
import time
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

LABEL: Final = "mqcheck.run"
"""Label of every container of a run; its value is the guard's mark."""

CALL_SECONDS_MAX: Final = 10.0
"""How long one call may take. Ours: a container is killed and removed in half a second."""

QUIET_SECONDS: Final = 1.0
"""No container for so long means that none is coming: a request to make one may outlive whoever sent it. Ours."""

SWEEP_SECONDS_MAX: Final = 12.0
"""How long removing may take in all. Ours: below what the runner waits for its guard."""


class DaemonConnection(http.client.HTTPConnection):
    """One connection to a Unix socket; every wait on it has an end."""

    def __init__(self, path: Path) -> None:
        super().__init__("docker", timeout=CALL_SECONDS_MAX)
        self._path = path

    def connect(self) -> None:
        """Raises OSError when nobody listens."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(CALL_SECONDS_MAX)
        self.sock.connect(str(self._path))


def labelled(path: Path, mark: str) -> list[str]:
    """Ids of the containers of a run, in whatever state. Raises OSError, HTTPException or ValueError."""
    wanted = urlencode({"all": "1", "filters": json.dumps({"label": [f"{LABEL}={mark}"]})})
    return [one["Id"] for one in _call(path, "GET", f"/containers/json?{wanted}")]


def sweep(path: Path, mark: str) -> None:
    """Kill and remove all of them, with their unnamed volumes, until no more come. Raises nothing."""
    deadline = time.monotonic() + SWEEP_SECONDS_MAX
    quiet_since = time.monotonic()
    while time.monotonic() < deadline:
        try:
            found = labelled(path, mark)
            for container in found:
                _call(path, "DELETE", f"/containers/{quote(container)}?force=1&v=1")
        except (OSError, http.client.HTTPException, ValueError):
            return  # the daemon is gone or does not know what it says: nobody here can do more
        if found:
            quiet_since = time.monotonic()
        elif time.monotonic() - quiet_since >= QUIET_SECONDS:
            return
        time.sleep(0.1)


def _call(path: Path, method: str, url: str) -> Any:
    """Without a version in the path: a daemon answers in its own, and what is asked here is in all of them."""
    connection = DaemonConnection(path)
    try:
        connection.request(method, url)
        answer = connection.getresponse()
        body = answer.read()
        if method == "DELETE":
            return None  # whether it is gone, the next list tells
        if answer.status != http.HTTPStatus.OK:
            raise ValueError(f"{method} {url} was answered {answer.status}: {body[:200]!r}")
        return json.loads(body)
    finally:
        connection.close()
