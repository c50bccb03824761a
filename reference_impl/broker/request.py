"""One request as the handlers see it, and refusing it; its header fields are read by ``headers``.

Must not know any code's meaning.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from reference_impl.commands import ResponseCode
from reference_impl.effects import Effect, Reply
from reference_impl.frame import Command

UNSET_REMARK: Final = "not set any response code"
"""RocketMQ's answer to some codes carries it beside SUCCESS: the handler left the answer as it was made."""


class Request(Struct, frozen=True, gc=False):
    """A command with where and when it came."""

    now_ms: int
    """Broker's clock."""
    conn: int
    """Connection it came on; answers go there."""
    peer: tuple[str, int]
    """Address of the other end."""
    command: Command

    def reply(
        self,
        code: ResponseCode = ResponseCode.SUCCESS,
        fields: Mapping[str, str] | None = None,
        body: bytes = b"",
        remark: str | None = None,
    ) -> list[Effect]:
        """The answer as the only effect."""
        return [Reply(self.conn, self.command.reply(code, fields or {}, body, remark))]


class RefusalError(Exception):
    """A CHECK phase says no: the answer's code, its remark, and header fields that go with it."""

    def __init__(self, code: ResponseCode, remark: str, fields: Mapping[str, str] | None = None) -> None:
        super().__init__(remark)
        self.code = code
        self.remark = remark
        self.fields = fields or {}
