"""Several requests on one connection, at once or one after the other; each has its row in ``replies``.

For promises about a connection: requests in flight together, both encodings side by side, what goes on after a bad
request, and a broker of the kit's own that lives as long as its connection. What the answers mean is the caller's.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from mqcheck.history.recorder import Recorder
from mqcheck.rocketmq.codes import CLIENT_VERSION
from mqcheck.rocketmq.connection import Peer
from mqcheck.rocketmq.frame import Command, Serialize, encode
from mqcheck.rocketmq.models import Encoding, RawAnswer
from mqcheck.rocketmq.probe import ProbeProtocol, raw_answer, reply_columns, strays

DEADLINE_MS = 5_000
"""How long answers are waited for; ours."""


def _as_it_is(frame: bytes) -> bytes:
    return frame


@dataclass(frozen=True, slots=True)
class Question:
    """One request, without its opaque."""

    probe: str
    code: int
    fields: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    encoding: Encoding = "json"
    version: int = CLIENT_VERSION
    change: Callable[[bytes], bytes] = _as_it_is
    """What is done to the frame before it is sent."""

    def frame(self, opaque: int) -> bytes:
        """Its bytes."""
        serialize = Serialize.JSON if self.encoding == "json" else Serialize.ROCKETMQ
        command = Command(
            code=self.code,
            opaque=opaque,
            fields=self.fields,
            body=self.body,
            version=self.version,
            serialize=serialize,
        )
        return self.change(encode(command))


class Conversation:
    """One connection of the admin's; open inside ``async with``. Never raises for what the peer does."""

    def __init__(self, recorder: Recorder, peer: Peer) -> None:
        self._recorder = recorder
        self._peer = peer
        self._protocol = ProbeProtocol(peer, recorder)
        self._opaque = 0
        self._connected = False

    async def __aenter__(self) -> Self:
        self._connected = await self._protocol.connect(DEADLINE_MS / 1000)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._protocol.end()

    async def ask(self, question: Question, *, deadline_ms: int = DEADLINE_MS) -> RawAnswer:
        """One request and its answer."""
        return (await self.ask_all((question,), deadline_ms=deadline_ms))[0]

    async def ask_all(
        self, questions: tuple[Question, ...], *, deadline_ms: int = DEADLINE_MS
    ) -> tuple[RawAnswer, ...]:
        """All at once; ends when each has an answer, at the deadline or with the connection."""
        protocol, began = self._protocol, len(self._protocol.answers)
        ops = {}
        frames = []
        for question in questions:
            self._opaque += 1
            ops[self._opaque] = self._recorder.begin(
                "replies",
                probe=question.probe,
                conn=protocol.conn,
                node=self._peer.node,
                request_code=question.code,
                encoding=question.encoding,
                payload_bytes=len(question.body),
            )
            frames.append(question.frame(self._opaque))
        if self._connected:
            protocol.send(b"".join(frames))
            await self._collect(began, set(ops), deadline_ms)
        answers: dict[int, list[Command]] = defaultdict(list)
        for answer in protocol.answers[began:]:
            answers[answer.opaque].append(answer)
        astray = strays(protocol.answers[began:], range(1, self._opaque + 1))
        silence = "unsent" if not self._connected else "none" if protocol.closed_by is None else "closed"
        found = []
        for opaque, op in ops.items():
            mine = answers[opaque]
            columns = reply_columns(mine, strays=astray, closed_by=protocol.closed_by)
            self._recorder.end("replies", op, outcome="ok" if mine else silence, **columns)
            found.append(raw_answer(mine, "unsent" if not self._connected else "none"))
            astray = 0
        return tuple(found)

    async def _collect(self, began: int, waiting: set[int], deadline_ms: int) -> None:
        protocol = self._protocol
        try:
            async with asyncio.timeout(deadline_ms / 1000):
                while waiting and not protocol.ended.is_set():
                    protocol.heard.clear()
                    await protocol.heard.wait()
                    waiting -= {answer.opaque for answer in protocol.answers[began:]}
                    began = len(protocol.answers)
        except TimeoutError:
            pass
