"""One request and one answer over a plain socket: what looks and faults need of the protocol. Blocks."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, Self

from mqcheck.errors import FrameError, NodeError
from mqcheck.rocketmq.frame import Command, FrameReader, encode, loads_loose

ASK_SECONDS_MAX: Final = 10.0
"""How long an answer may take; milliseconds are usual. Ours."""

READ_BYTES_MAX: Final = 1 << 18
"""Read at once. Ours."""


class Line:
    """A connection to one server, for requests one after the other. Raises NodeError."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._address = address
        self._reader = FrameReader()
        self._opaque = 0
        try:
            self._socket = socket.create_connection((host.strip("[]"), int(port)), ASK_SECONDS_MAX)
        except OSError as error:
            raise NodeError(f"no connection to {address}: {error}; is it running?") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._socket.close()

    def ask(self, code: int, fields: Mapping[str, object] | None = None, body: bytes = b"") -> Command:
        """The answer, whatever its code; NodeError when there is none."""
        self._opaque += 1
        texts = {key: str(value) for key, value in (fields or {}).items()}
        try:
            self._socket.sendall(encode(Command(int(code), opaque=self._opaque, fields=texts, body=body)))
            while data := self._socket.recv(READ_BYTES_MAX):
                for command in self._reader.feed(data):
                    if command.is_response and command.opaque == self._opaque:
                        return command
        except (OSError, FrameError) as error:
            raise NodeError(f"no answer of {self._address} to request {int(code)}: {error}") from error
        raise NodeError(f"no answer of {self._address} to request {int(code)}: it closed the connection")

    def table(self, code: int, name: str) -> dict[str, Any]:
        """A table out of the JSON body of an answer; NodeError when the answer is a refusal."""
        answer = self.ask(code)
        if answer.code != 0:
            raise NodeError(f"{self._address} refused request {int(code)} with {answer.code}: {answer.remark}")
        found = loads_loose(answer.body)
        table = found.get(name) if isinstance(found, dict) else None
        return table if isinstance(table, dict) else {}
