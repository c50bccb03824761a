"""One request as the handlers see it, reading its header fields, and refusing it.

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


def text(fields: Mapping[str, str], name: str) -> str:
    """A required header field. RefusalError (code 1) when it is missing."""
    value = fields.get(name)
    if value is None:
        raise RefusalError(ResponseCode.SYSTEM_ERROR, f"the custom field <{name}> is null")
    return value


def number(fields: Mapping[str, str], name: str, default: int | None = None) -> int:
    """A header field that is a number; without ``default`` it is required. RefusalError (code 1) otherwise."""
    value = fields.get(name)
    if value is None:
        if default is not None:
            return default
        raise RefusalError(ResponseCode.SYSTEM_ERROR, f"the custom field <{name}> is null")
    try:
        return int(value)
    except ValueError:
        raise RefusalError(ResponseCode.SYSTEM_ERROR, f"the custom field <{name}> is {value!r}, not a number") from None


def flag(fields: Mapping[str, str], name: str) -> bool:
    """A header field that is true or false; missing = false, and so is everything but ``true``, as in Java."""
    return fields.get(name, "").lower() == "true"
