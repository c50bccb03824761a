"""Planted bugs of administration and of a NameServer's requests: changes that are acknowledged and not made, lists that
leave something out, answers with less in them.

Most of them answer SUCCESS to some requests and do nothing; each row says to which.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec.structs import replace

from reference_impl.commands import RequestCode, ResponseCode
from reference_impl.delivery.topics import TopicConfig
from reference_impl.effects import Call, Effect, Reply
from reference_impl.frame import Command
from reference_impl.loose_json import dumps, loads_loose
from reference_impl.sabotage.base import PassingCore, Sabotage, around_core
from reference_impl.server import Core

LATE_MS: Final = 2_000
"""How long the lists of ``list-topics-late`` and ``list-groups-late`` leave out what is new."""
RARELY: Final = 3
"""Of how many registrations ``register-rarely`` makes one."""
OLD_VERSION: Final = 300
"""The version of a client that gets routes without quotes."""

When = Callable[[Any, Command], bool]
"""Whether a core ignores a request."""
Name = Callable[[Command], str]
"""What a request makes."""
Change = Callable[[Command], Command]
"""Another answer, or another request."""


class Ignoring(PassingCore):
    """Says SUCCESS to some requests of one code and does nothing."""

    def __init__(self, inner: Core, code: int, when: When, fields: Mapping[str, str]) -> None:
        super().__init__(inner)
        self.code = code
        self.when = when
        self.fields = dict(fields)

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Do nothing about those."""
        if command.code != self.code or not self.when(self.inner, command):
            return super().request(now_ms, conn, peer, command)
        return [] if command.is_oneway else [Reply(conn, command.reply(ResponseCode.SUCCESS, self.fields))]


class Shortening(PassingCore):
    """Changes requests of one code before they are served, and answers of success before they are given."""

    def __init__(self, inner: Core, code: int, asked: Change | None, answer: Change | None) -> None:
        super().__init__(inner)
        self.code = code
        self.asked = asked
        self.answer = answer

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Change what has this code."""
        if command.code != self.code:
            return super().request(now_ms, conn, peer, command)
        effects = super().request(now_ms, conn, peer, command if self.asked is None else self.asked(command))
        return [self._changed(effect, command) for effect in effects]

    def _changed(self, effect: Effect, asked: Command) -> Effect:
        if not isinstance(effect, Reply) or effect.command.opaque != asked.opaque or self.answer is None:
            return effect
        return effect if effect.command.code else replace(effect, command=self.answer(effect.command))


class ListLate(PassingCore):
    """Leaves what is new out of the list of its kind; adm-topic-created and adm-group-created must catch it."""

    def __init__(self, inner: Core, made_by: int, listed_by: int, table: str, name: Name) -> None:
        super().__init__(inner)
        self.made_by = made_by
        self.listed_by = listed_by
        self.table = table
        self.name = name
        self.made_ms: dict[str, int] = {}

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Remember what is made, and when."""
        if command.code == self.made_by:
            self.made_ms.setdefault(self.name(command), now_ms)
        effects = super().request(now_ms, conn, peer, command)
        if command.code != self.listed_by:
            return effects
        return [self._without_new(effect, now_ms) for effect in effects]

    def _without_new(self, effect: Effect, now_ms: int) -> Effect:
        if not isinstance(effect, Reply) or effect.command.code:
            return effect
        body: Any = loads_loose(effect.command.body)
        for name, made_ms in self.made_ms.items():
            if made_ms + LATE_MS > now_ms:
                body[self.table].pop(name, None)
        return replace(effect, command=replace(effect.command, body=dumps(body)))


class MakeAnything(PassingCore):
    """Refuses topics with impossible names and makes them; adm-topic-refused must catch it."""

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Make what was refused."""
        effects = super().request(now_ms, conn, peer, command)
        refused = any(isinstance(effect, Reply) and effect.command.code != 0 for effect in effects)
        if command.code == RequestCode.UPDATE_AND_CREATE_TOPIC and refused:
            self.inner.state.topics.put(TopicConfig(command.fields["topic"], 1, 1, 6), now_ms)  # type: ignore[attr-defined]
        return effects


class AnswerBeforeRegister(PassingCore):
    """Registers new topics with the next regular registration only; adm-topic-route must catch it."""

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Every NameServer seems to have failed."""
        effects = super().request(now_ms, conn, peer, command)
        if command.code != RequestCode.UPDATE_AND_CREATE_TOPIC:
            return effects
        kept: list[Effect] = [effect for effect in effects if not isinstance(effect, Call)]
        for effect in effects:
            if isinstance(effect, Call):
                kept += self.inner.response(now_ms, effect.token, None)
        return kept


class RegisterRarely(PassingCore):
    """Makes one of three regular registrations; ns-register-period must catch it."""

    def __init__(self, inner: Core) -> None:
        super().__init__(inner)
        self.count = 0

    def tick(self, now_ms: int) -> list[Effect]:
        """Drop two of three."""
        kept = []
        registers = False
        for effect in super().tick(now_ms):
            if isinstance(effect, Call) and effect.command.code == RequestCode.REGISTER_BROKER:
                registers = True
                if self.count % RARELY:
                    continue
            kept.append(effect)
        self.count += registers
        return kept


class KeepFirstRoute(PassingCore):
    """Knows a broker's queues of a topic as they were told first; ns-topic-changed must catch it."""

    def __init__(self, inner: Core) -> None:
        super().__init__(inner)
        table = inner.state.table  # type: ignore[attr-defined]
        put = table._put_queues

        def put_once(name: str, entry: Any) -> None:
            if name not in table.topics.get(entry.name, {}):
                put(name, entry)

        table._put_queues = put_once


def _ignoring(
    name: str,
    summary: str,
    guarantee: str,
    code: int,
    when: When = lambda core, command: True,
    *,
    fields: Mapping[str, str] | None = None,
    role: str = "broker",
) -> Sabotage:
    def wrap(core: Core) -> Core:
        return Ignoring(core, code, when, fields or {})

    return Sabotage(name, summary, guarantee, role=role, wrap_core=around_core(wrap))


def _shortening(
    name: str,
    summary: str,
    guarantee: str,
    code: int,
    *,
    asked: Change | None = None,
    answer: Change | None = None,
    role: str = "broker",
) -> Sabotage:
    def wrap(core: Core) -> Core:
        return Shortening(core, code, asked, answer)

    return Sabotage(name, summary, guarantee, role=role, wrap_core=around_core(wrap))


def _in_body(change: Callable[[Any], None]) -> Change:
    """An answer with something changed in its JSON."""

    def changed(command: Command) -> Command:
        body: Any = loads_loose(command.body)
        change(body)
        return replace(command, body=dumps(body))

    return changed


def _statistics_behind(command: Command) -> Command:
    return replace(command, body=command.body.replace(b'"minOffset":0', b'"minOffset":1'))


def _made(command: Command) -> str:
    return command.fields["topic"]


def _group_made(command: Command) -> str:
    config: Any = loads_loose(command.body)
    return str(config["groupName"])


def _known_topic(core: Any, command: Command) -> bool:
    return core.state.topics.get(command.fields.get("topic", "")) is not None


def _known_group(core: Any, command: Command) -> bool:
    return _group_made(command) in core.state.groups.to_json()["subscriptionGroupTable"]


def _nobody(core: Any, command: Command) -> bool:
    return command.fields.get("consumerGroup") not in core.state.members.consumers


def _known_value(core: Any, command: Command) -> bool:
    return command.fields["key"] in core.state.values.get(command.fields["namespace"], {})


def _without(*names: str) -> Change:
    """A request without some fields."""

    def changed(command: Command) -> Command:
        return replace(command, fields={name: value for name, value in command.fields.items() if name not in names})

    return changed


def _late(name: str, what: str, guarantee: str, codes: tuple[int, int], table: str, made: Name) -> Sabotage:
    def wrap(core: Core) -> Core:
        return ListLate(core, *codes, table, made)

    return Sabotage(name, f"leaves {what} out of the list for two seconds", guarantee, wrap_core=around_core(wrap))


_C: Final = RequestCode

SABOTAGES: Final = (
    _late(
        "list-topics-late",
        "new topics",
        "adm-topic-created",
        (_C.UPDATE_AND_CREATE_TOPIC, _C.GET_ALL_TOPIC_CONFIG),
        "topicConfigTable",
        _made,
    ),
    _late(
        "list-groups-late",
        "new groups",
        "adm-group-created",
        (_C.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, _C.GET_ALL_SUBSCRIPTIONGROUP_CONFIG),
        "subscriptionGroupTable",
        _group_made,
    ),
    _ignoring(
        "keep-first-topic",
        "says SUCCESS to a change of a topic and does not make it",
        "adm-topic-updated",
        _C.UPDATE_AND_CREATE_TOPIC,
        _known_topic,
    ),
    _ignoring(
        "keep-deleted-topics",
        "says SUCCESS to the deletion of a topic and keeps it",
        "adm-topic-deleted",
        _C.DELETE_TOPIC_IN_BROKER,
    ),
    Sabotage(
        "make-anything",
        "refuses topics with impossible names and makes them",
        "adm-topic-refused",
        wrap_core=around_core(MakeAnything),
    ),
    Sabotage(
        "answer-before-register",
        "registers new topics with the next regular registration only",
        "adm-topic-route",
        wrap_core=around_core(AnswerBeforeRegister),
    ),
    _ignoring(
        "keep-first-group",
        "says SUCCESS to a change of a group and does not make it",
        "adm-group-updated",
        _C.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP,
        _known_group,
    ),
    _ignoring(
        "keep-deleted-groups",
        "says SUCCESS to the deletion of a group and keeps it",
        "adm-group-deleted",
        _C.DELETE_SUBSCRIPTIONGROUP,
    ),
    _ignoring(
        "keep-settings",
        "says SUCCESS to a change of settings and does not make it",
        "adm-config-updated",
        _C.UPDATE_BROKER_CONFIG,
    ),
    _ignoring(
        "ignore-set-offsets",
        "says SUCCESS to a commit for a group without members and forgets it",
        "adm-offset-set",
        _C.UPDATE_CONSUMER_OFFSET,
        _nobody,
    ),
    _shortening(
        "statistics-behind",
        "says in the statistics of a topic that its first message is gone",
        "adm-topic-stats",
        _C.GET_TOPIC_STATS_INFO,
        answer=_statistics_behind,
    ),
    _shortening(
        "leave-out-member",
        "leaves one member out of the connections of a group",
        "adm-connections",
        _C.GET_CONSUMER_CONNECTION_LIST,
        answer=_in_body(lambda body: body["connectionSet"].pop()),
    ),
    Sabotage(
        "register-rarely",
        "makes one of three regular registrations",
        "ns-register-period",
        wrap_core=around_core(RegisterRarely),
    ),
    Sabotage(
        "keep-first-route",
        "knows a broker's queues of a topic as they were told first",
        "ns-topic-changed",
        role="namesrv",
        wrap_core=around_core(KeepFirstRoute),
    ),
    _ignoring(
        "keep-deleted-routes",
        "says SUCCESS to the deletion of a topic and keeps its routes",
        "ns-topic-deleted",
        _C.DELETE_TOPIC_IN_NAMESRV,
        role="namesrv",
    ),
    _ignoring(
        "keep-writable",
        "says SUCCESS to the wiping of a write permission and keeps it",
        "ns-wipe",
        _C.WIPE_WRITE_PERM_OF_BROKER,
        fields={"wipeTopicCount": "0"},
        role="namesrv",
    ),
    _ignoring(
        "keep-wiped",
        "says SUCCESS to the adding of a write permission and does not add it",
        "ns-add-write",
        _C.ADD_WRITE_PERM_OF_BROKER,
        fields={"addTopicCount": "0"},
        role="namesrv",
    ),
    _ignoring(
        "keep-unregistered",
        "says SUCCESS to a broker that leaves and keeps it",
        "ns-unregister-last",
        _C.UNREGISTER_BROKER,
        role="namesrv",
    ),
    _shortening(
        "leave-out-broker",
        "leaves the newest broker out of what it says of clusters",
        "ns-cluster-info",
        _C.GET_BROKER_CLUSTER_INFO,
        answer=_in_body(lambda body: body["brokerAddrTable"].popitem()),
        role="namesrv",
    ),
    _shortening(
        "leave-out-topic",
        "leaves the newest topics out of the list of all",
        "ns-topic-list",
        _C.GET_ALL_TOPIC_LIST_FROM_NAMESERVER,
        answer=_in_body(lambda body: body.update(topicList=body["topicList"][:-2])),
        role="namesrv",
    ),
    _shortening(
        "ignore-checksum",
        "takes registrations whatever their checksum is",
        "ns-crc",
        _C.REGISTER_BROKER,
        asked=_without("bodyCrc32"),
        role="namesrv",
    ),
    _ignoring(
        "keep-first-value",
        "says SUCCESS to another value of a key and keeps the first",
        "ns-kv-put",
        _C.PUT_KV_CONFIG,
        _known_value,
        role="namesrv",
    ),
    _ignoring(
        "keep-deleted-values",
        "says SUCCESS to the deletion of a value and keeps it",
        "ns-kv-delete",
        _C.DELETE_KV_CONFIG,
        role="namesrv",
    ),
    _shortening(
        "list-no-values",
        "lists a namespace without its values",
        "ns-kv-list",
        _C.GET_KVLIST_BY_NAMESPACE,
        answer=_in_body(lambda body: body["table"].clear()),
        role="namesrv",
    ),
    _shortening(
        "always-changed",
        "says of every broker that its topics have changed",
        "ns-data-version",
        _C.QUERY_DATA_VERSION,
        answer=lambda command: replace(command, fields={**command.fields, "changed": "true"}),
        role="namesrv",
    ),
    _shortening(
        "no-master-told",
        "never tells a slave who its master is",
        "ns-slave-haaddr",
        _C.REGISTER_BROKER,
        answer=_without("masterAddr", "haServerAddr"),
        role="namesrv",
    ),
    _shortening(
        "loose-routes",
        "writes routes for newer clients as for old ones",
        "ns-json",
        _C.GET_ROUTEINFO_BY_TOPIC,
        asked=lambda command: replace(command, version=OLD_VERSION),
        role="namesrv",
    ),
)
