"""Planted bugs of connections and headers: requests that get lost, answers that go astray, bad frames that hurt others.

Each class says what it breaks and which guarantee must catch it. Most of them are bugs of a broker and, under the same
name with ``-ns``, of a NameServer.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from reference_impl.commands import RequestCode, ResponseCode
from reference_impl.effects import Close, Effect, Reply
from reference_impl.frame import Command, Serialize
from reference_impl.sabotage.base import PassingCore, Sabotage, around_core
from reference_impl.server import Core

ASTRAY_EVERY: Final = 5
"""Every how many answers ``answer-astray`` gives one to nobody."""
ASTRAY_BY: Final = 100_000
"""How far that one's opaque is from the right one."""
LOST_EVERY: Final = 50
"""Every how many requests that came in a row ``lose-in-flight`` loses one."""
NEEDED: Final = {
    int(RequestCode.SEND_MESSAGE_V2): "b",
    int(RequestCode.PULL_MESSAGE): "topic",
    int(RequestCode.GET_MAX_OFFSET): "topic",
    int(RequestCode.GET_ROUTEINFO_BY_TOPIC): "topic",
}
"""A field that each of these requests must have."""
KNOWN_FIELDS: Final = {
    int(RequestCode.GET_MAX_OFFSET): {"topic", "queueId", "bname"},
    int(RequestCode.GET_MIN_OFFSET): {"topic", "queueId", "bname"},
}
"""What ``refuse-unknown-fields`` knows."""


class ForgetSecondEncoding(PassingCore):
    """Serves only the header encoding that a connection began with.

    prt-json-binary and ns-json-binary must catch it.
    """

    def __init__(self, inner: Core) -> None:
        super().__init__(inner)
        self.began: dict[int, Serialize] = {}

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Drop what is written otherwise."""
        if self.began.setdefault(conn, command.serialize) is not command.serialize:
            return []
        return super().request(now_ms, conn, peer, command)


class LoseInFlight(PassingCore):
    """Loses some of many requests in a row; prt-pipelining and ns-pipelining must catch it."""

    def __init__(self, inner: Core) -> None:
        super().__init__(inner)
        self.left = 0

    def arrived(self, now_ms: int, count: int) -> None:
        """Count what comes together."""
        self.left = count
        super().arrived(now_ms, count)

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Drop one now and then."""
        self.left -= 1
        if self.left and self.left % LOST_EVERY == 0:
            return []
        return super().request(now_ms, conn, peer, command)


class SwallowIncomplete(PassingCore):
    """Never answers a request without a field that it must have.

    prt-missing-field and ns-missing-field must catch it.
    """

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Drop those."""
        needed = NEEDED.get(command.code)
        if needed is not None and needed not in command.fields:
            return []
        return super().request(now_ms, conn, peer, command)


class CloseWithBadFrame(PassingCore):
    """Closes all connections when one ends on which nothing was asked, as after a bad frame.

    prt-badframe-close and ns-badframe-close must catch it.
    """

    def __init__(self, inner: Core) -> None:
        super().__init__(inner)
        self.asking: set[int] = set()

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Remember who asks."""
        self.asking.add(conn)
        return super().request(now_ms, conn, peer, command)

    def closed(self, now_ms: int, conn: int) -> list[Effect]:
        """Close the others too."""
        effects = super().closed(now_ms, conn)
        if conn in self.asking:
            self.asking.discard(conn)
            return effects
        return [*effects, *(Close(other) for other in sorted(self.asking))]


class AnswerAstray(PassingCore):
    """Gives every fifth answer once more under an opaque that nobody used; prt-own-opaque must catch it."""

    def __init__(self, inner: Core) -> None:
        super().__init__(inner)
        self.answers = 0

    def review(self, now_ms: int, effects: list[Effect]) -> list[Effect]:
        """Answer nobody now and then."""
        del now_ms
        result: list[Effect] = []
        for effect in effects:
            if isinstance(effect, Reply):
                self.answers += 1
                if self.answers % ASTRAY_EVERY == 0:
                    astray = replace(effect.command, opaque=effect.command.opaque + ASTRAY_BY)
                    result.append(replace(effect, command=astray))
            result.append(effect)
        return result


class RefuseUnknownFields(PassingCore):
    """Refuses header fields of later versions; prt-unknown-field must catch it."""

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Look at every field."""
        known = KNOWN_FIELDS.get(command.code)
        if known is None or set(command.fields) <= known:
            return super().request(now_ms, conn, peer, command)
        return [Reply(conn, command.reply(ResponseCode.SYSTEM_ERROR, remark="unknown field"))]


def _of_both(name: str, summary: str, clause: str, wrapper: type[PassingCore]) -> tuple[Sabotage, Sabotage]:
    """The same bug of a broker and of a NameServer."""
    return (
        Sabotage(name, summary, f"prt-{clause}", wrap_core=around_core(wrapper)),
        Sabotage(f"{name}-ns", summary, f"ns-{clause}", role="namesrv", wrap_core=around_core(wrapper)),
    )


SABOTAGES: Final = (
    *_of_both(
        "forget-second-encoding",
        "serves only the header encoding that a connection began with",
        "json-binary",
        ForgetSecondEncoding,
    ),
    *_of_both("lose-in-flight", "loses one of fifty requests that come together", "pipelining", LoseInFlight),
    *_of_both(
        "swallow-incomplete",
        "never answers a request without a field that it must have",
        "missing-field",
        SwallowIncomplete,
    ),
    *_of_both(
        "close-with-bad-frame",
        "closes every connection when one ends after a bad frame",
        "badframe-close",
        CloseWithBadFrame,
    ),
    Sabotage(
        "answer-astray",
        "gives every fifth answer once more under an opaque that nobody used",
        "prt-own-opaque",
        wrap_core=around_core(AnswerAstray),
    ),
    Sabotage(
        "refuse-unknown-fields",
        "refuses header fields of later versions",
        "prt-unknown-field",
        wrap_core=around_core(RefuseUnknownFields),
    ),
)
