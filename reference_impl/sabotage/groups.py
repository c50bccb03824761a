"""Planted bugs of groups: who is listed, who is told, who is kept.

Each class says what it breaks and which guarantee must catch it.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from reference_impl.commands import RequestCode, ResponseCode
from reference_impl.effects import Effect, Push, Reply
from reference_impl.frame import Command
from reference_impl.loose_json import dumps, loads_loose
from reference_impl.sabotage.base import PassingCore, Sabotage, around_core
from reference_impl.server import Core


def _listed(effect: Effect) -> list[str]:
    """The ids in an answer to 38; none in any other effect."""
    if not isinstance(effect, Reply) or effect.command.code != ResponseCode.SUCCESS:
        return []
    return [str(member) for member in loads_loose(effect.command.body).get("consumerIdList") or ()]


def _listing(effect: Effect, ids: list[str]) -> Effect:
    """The same answer with other ids."""
    if not isinstance(effect, Reply):
        return effect
    return Reply(effect.conn, replace(effect.command, body=dumps({"consumerIdList": ids})))


class ForgetNewestMember(PassingCore):
    """Lists all members of a group but the one that came last; con-members-list must catch it."""

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """One fewer, where there are several."""
        effects = super().request(now_ms, conn, peer, command)
        if command.code != RequestCode.GET_CONSUMER_LIST_BY_GROUP:
            return effects
        return [_listing(effect, ids[:-1]) if len(ids := _listed(effect)) > 1 else effect for effect in effects]


class _WatchedMembers(PassingCore):
    """Remembers each connection's last heartbeat."""

    def __init__(self, inner: Core) -> None:
        super().__init__(inner)
        self.heard: dict[int, tuple[tuple[str, int], Command]] = {}

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Pass on; remember heartbeats."""
        if command.code == RequestCode.HEART_BEAT:
            self.heard[conn] = (peer, command)
        return super().request(now_ms, conn, peer, command)


class ListAskerAlone(_WatchedMembers):
    """Tells a member that it is alone in its group; con-rebalance-cover must catch it."""

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Only the id of the heartbeat on the same connection; who is no member gets the list as it is."""
        effects = super().request(now_ms, conn, peer, command)
        if command.code != RequestCode.GET_CONSUMER_LIST_BY_GROUP or conn not in self.heard:
            return effects
        own = str(loads_loose(self.heard[conn][1].body).get("clientID"))
        return [_listing(effect, [own]) if own in _listed(effect) else effect for effect in effects]


class IgnoreLeave(PassingCore):
    """Answers UNREGISTER_CLIENT with success and keeps the member; con-unregister must catch it."""

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Everything but leave-takings."""
        if command.code != RequestCode.UNREGISTER_CLIENT:
            return super().request(now_ms, conn, peer, command)
        return [] if command.is_oneway else [Reply(conn, command.reply(ResponseCode.SUCCESS))]


class KeepClosedMembers(_WatchedMembers):
    """Keeps a member whose connection has ended until it expires; con-expire-close must catch it."""

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Pass on; who takes leave is forgotten."""
        if command.code == RequestCode.UNREGISTER_CLIENT:
            self.heard.pop(conn, None)
        return super().request(now_ms, conn, peer, command)

    def closed(self, now_ms: int, conn: int) -> list[Effect]:
        """Its last heartbeat comes again, as if it were there; nobody is answered or told."""
        effects = super().closed(now_ms, conn)
        if conn not in self.heard:
            return effects
        peer, command = self.heard.pop(conn)
        self.inner.request(now_ms, conn, peer, command)
        return effects


class NeverNotify(PassingCore):
    """Tells no member that its group has changed; con-notify-ids must catch it."""

    def review(self, now_ms: int, effects: list[Effect]) -> list[Effect]:
        """Everything but NOTIFY_CONSUMER_IDS_CHANGED."""
        del now_ms
        code = RequestCode.NOTIFY_CONSUMER_IDS_CHANGED
        return [effect for effect in effects if not (isinstance(effect, Push) and effect.command.code == code)]


SABOTAGES: Final = (
    Sabotage(
        "forget-newest-member",
        "lists all members of a group but the one that came last",
        "con-members-list",
        wrap_core=around_core(ForgetNewestMember),
    ),
    Sabotage(
        "list-asker-alone",
        "tells a member that it is alone in its group",
        "con-rebalance-cover",
        wrap_core=around_core(ListAskerAlone),
    ),
    Sabotage(
        "ignore-leave",
        "answers UNREGISTER_CLIENT with success and keeps the member",
        "con-unregister",
        wrap_core=around_core(IgnoreLeave),
    ),
    Sabotage(
        "keep-closed-members",
        "keeps a member whose connection has ended until it expires",
        "con-expire-close",
        wrap_core=around_core(KeepClosedMembers),
    ),
    Sabotage(
        "never-notify",
        "tells no member that its group has changed",
        "con-notify-ids",
        wrap_core=around_core(NeverNotify),
    ),
)
