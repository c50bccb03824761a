"""Removing containers by label, where there is no daemon; with one: tests/containers."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from mqcheck.containers import labelled, sweep


def test_where_nobody_answers_there_is_nothing_to_remove(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        labelled(tmp_path / "socket", "mark")
    sweep(tmp_path / "socket", "mark")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nnot json!",
        b"SSH-2.0-OpenSSH_9.2\r\n",
    ],
)
def test_a_daemon_that_is_none_is_left_alone(tmp_path: Path, answer: bytes) -> None:
    path = tmp_path / "socket"
    asked: list[bytes] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                asked.append(connection.recv(65536))
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        sweep(path, "mark")
        thread.join(10)
    assert len(asked) == 1
    assert asked[0].startswith(
        b"GET /containers/json?all=1&filters=%7B%22label%22%3A+%5B%22mqcheck.run%3Dmark%22%5D%7D"
    )
