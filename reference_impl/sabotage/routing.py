"""Planted bugs of routing. The NameServer's: expiry and closes that are missed or come early, routes that are empty,
brokers that are not taken back. A broker's: it leaves all NameServers for one. One oddity: a closed broker listed a
moment longer.

Each class says what it breaks and which guarantee must catch it.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from reference_impl.commands import RequestCode, ResponseCode
from reference_impl.effects import Call, Close, Effect
from reference_impl.errors import ReferenceBugError
from reference_impl.frame import Command
from reference_impl.sabotage.base import CoreSettings, PassingCore, Sabotage, around_core, success_instead_of
from reference_impl.server import Core
from reference_impl.settings import NameServerSettings

EARLY_PART: Final = 15
"""``expire-early`` removes a broker that was silent for this part of the expiry."""
IGNORED: Final = 3
"""How many registrations of a broker ``list-late`` lets pass."""
EMPTY_ROUTE: Final = b'{"brokerDatas":[],"filterServerTable":{},"queueDatas":[]}'
"""What ``empty-route`` answers."""
STALE_MS: Final = 500
"""How long ``stale-route-within-limit`` goes on listing a broker whose connection closed; ns-close allows seconds."""


class NeverExpire(PassingCore):
    """Never scans for silent brokers, so that they stay in routes for ever; ns-expire must catch it.

    A connection that the shell closes because it was silent does not remove its broker either; one that its broker
    closes does.
    """

    def __init__(self, inner: Core, expiry_ms: int) -> None:
        super().__init__(inner)
        self.expiry_ms = expiry_ms
        self.heard_ms: dict[int, int] = {}

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Remember who was heard when."""
        self.heard_ms[conn] = now_ms
        return super().request(now_ms, conn, peer, command)

    def closed(self, now_ms: int, conn: int) -> list[Effect]:
        """Ignore the end of a connection that had long been silent."""
        if now_ms - self.heard_ms.pop(conn, now_ms) >= self.expiry_ms * 3 // 4:
            return []
        return super().closed(now_ms, conn)

    def tick(self, now_ms: int) -> list[Effect]:
        """The scan is the only thing a NameServer does by the clock."""
        del now_ms
        return []

    def next_deadline_ms(self) -> int | None:
        """Nothing is ever due."""
        return None


class ExpireEarly(PassingCore):
    """Removes a broker after a fifteenth of the expiry, between two registrations; ns-no-early-expire must catch it.

    Registration and scan periods leave it out for some time in each period, however they fall. The connection stays
    open: nothing but the route shows it.
    """

    def __init__(self, inner: Core, expiry_ms: int) -> None:
        super().__init__(inner)
        self.ahead_ms = expiry_ms - expiry_ms // EARLY_PART

    def start(self, now_ms: int) -> list[Effect]:
        """The scan's clock is ahead of everything else's."""
        return super().start(now_ms + self.ahead_ms)

    def tick(self, now_ms: int) -> list[Effect]:
        """Scan as if it were later."""
        effects = super().tick(now_ms + self.ahead_ms)
        return [effect for effect in effects if not isinstance(effect, Close)]

    def next_deadline_ms(self) -> int | None:
        """On the real clock."""
        deadline = super().next_deadline_ms()
        return None if deadline is None else deadline - self.ahead_ms


class IgnoreClosedBrokers(PassingCore):
    """Notices a dead broker only by its silence, never by its closed connection; ns-close must catch it."""

    def closed(self, now_ms: int, conn: int) -> list[Effect]:
        """Nothing happens."""
        del now_ms, conn
        return []


class EmptyRoute(PassingCore):
    """Answers SUCCESS and a route without brokers where nothing is known of a topic; ns-empty-17 must catch it."""

    def review(self, now_ms: int, effects: list[Effect]) -> list[Effect]:
        """Never say that there is no such topic."""
        del now_ms
        return [success_instead_of(effect, ResponseCode.TOPIC_NOT_EXIST, EMPTY_ROUTE) for effect in effects]


class StaleRoute(PassingCore):
    """Notices the end of a connection half a second late: legal, must not be flagged."""

    def __init__(self, inner: Core) -> None:
        super().__init__(inner)
        self.ended: dict[int, int] = {}
        """Connection → when the core will be told."""

    def closed(self, now_ms: int, conn: int) -> list[Effect]:
        """Not yet."""
        self.ended[conn] = now_ms + STALE_MS
        return []

    def tick(self, now_ms: int) -> list[Effect]:
        """Now."""
        effects: list[Effect] = []
        for conn in [conn for conn, due_ms in self.ended.items() if due_ms <= now_ms]:
            del self.ended[conn]
            effects += super().closed(now_ms, conn)
        return effects + super().tick(now_ms)

    def next_deadline_ms(self) -> int | None:
        """The earlier of both."""
        times = (*self.ended.values(), super().next_deadline_ms())
        return min((time for time in times if time is not None), default=None)


def _expiry_ms(settings: CoreSettings) -> int:
    if not isinstance(settings, NameServerSettings):
        raise ReferenceBugError(f"a bug of the NameServer wraps a NameServer's core, not one with {settings!r}")
    return settings.broker_expiry_ms


def _never_expire(core: Core, settings: CoreSettings) -> Core:
    return NeverExpire(core, _expiry_ms(settings))


def _expire_early(core: Core, settings: CoreSettings) -> Core:
    return ExpireEarly(core, _expiry_ms(settings))


class _Forgetting(PassingCore):
    """Answers some registrations and forgets the broker at once."""

    def forgets(self, broker: tuple[str, str], conn: int) -> bool:
        """Whether this registration of a broker, by name and id, is one of them."""
        raise NotImplementedError

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Some registrations are taken back."""
        effects = super().request(now_ms, conn, peer, command)
        broker = command.fields.get("brokerName", ""), command.fields.get("brokerId", "")
        if command.code == RequestCode.REGISTER_BROKER and self.forgets(broker, conn):
            leave = Command(code=RequestCode.UNREGISTER_BROKER, opaque=command.opaque, fields=command.fields)
            self.inner.request(now_ms, conn, peer, leave)
        return effects


class IgnoreReturningBrokers(_Forgetting):
    """Forgets a broker that registers on another connection than its first; ns-register-visible must catch it."""

    def __init__(self, inner: Core) -> None:
        super().__init__(inner)
        self.first: dict[tuple[str, str], int] = {}

    def forgets(self, broker: tuple[str, str], conn: int) -> bool:
        """Those on a new connection."""
        return self.first.setdefault(broker, conn) != conn


class ListLate(_Forgetting):
    """Forgets a broker until it has registered four times; ns-restart-heal must catch it."""

    def __init__(self, inner: Core) -> None:
        super().__init__(inner)
        self.seen: Counter[tuple[str, str]] = Counter()

    def forgets(self, broker: tuple[str, str], conn: int) -> bool:
        """The first three."""
        del conn
        self.seen[broker] += 1
        return self.seen[broker] <= IGNORED


class LeaveAll(PassingCore):
    """A broker leaves every NameServer when one of them does not answer it; ns-isolated must catch it."""

    def __init__(self, inner: Core) -> None:
        super().__init__(inner)
        self.registering: set[str] = set()
        """Tokens of registrations without an answer."""

    def review(self, now_ms: int, effects: list[Effect]) -> list[Effect]:
        """Remember registrations."""
        del now_ms
        calls = [effect for effect in effects if isinstance(effect, Call)]
        self.registering |= {call.token for call in calls if call.command.code == RequestCode.REGISTER_BROKER}
        return effects

    def response(self, now_ms: int, token: str, command: Command | None) -> list[Effect]:
        """No answer to a registration: unregister everywhere."""
        effects = super().response(now_ms, token, command)
        if command is None and token in self.registering:
            effects += self.state.registrar.unregister()
        self.registering.discard(token)
        return effects


SABOTAGES: Final = (
    Sabotage(
        "never-expire-brokers",
        "keeps a silent broker in routes for ever",
        "ns-expire",
        role="namesrv",
        wrap_core=_never_expire,
    ),
    Sabotage(
        "expire-early",
        "removes a broker from routes after a fifteenth of its expiry",
        "ns-no-early-expire",
        role="namesrv",
        wrap_core=_expire_early,
    ),
    Sabotage(
        "ignore-closed-brokers",
        "notices a dead broker by its silence only",
        "ns-close",
        role="namesrv",
        wrap_core=around_core(IgnoreClosedBrokers),
    ),
    Sabotage(
        "list-late",
        "lists a broker from its fourth registration on",
        "ns-restart-heal",
        role="namesrv",
        wrap_core=around_core(ListLate),
    ),
    Sabotage(
        "ignore-returning-brokers",
        "forgets a broker that registers on a new connection",
        "ns-register-visible",
        role="namesrv",
        wrap_core=around_core(IgnoreReturningBrokers),
    ),
    Sabotage(
        "leave-all",
        "leaves every NameServer when one does not answer",
        "ns-isolated",
        wrap_core=around_core(LeaveAll),
    ),
    Sabotage(
        "empty-route",
        "answers an empty route for a topic that does not exist",
        "ns-empty-17",
        role="namesrv",
        wrap_core=around_core(EmptyRoute),
    ),
)
ODDITIES: Final = (
    Sabotage(
        "stale-route-within-limit",
        "lists a broker for half a second after its connection closed",
        None,
        role="namesrv",
        wrap_core=around_core(StaleRoute),
    ),
)
