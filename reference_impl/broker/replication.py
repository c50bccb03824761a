"""Master and slave: what the HA connections bring, and the tables that a slave copies from its master.

The log itself is copied by ``reference_impl.replication``; here it meets held pulls, waiting sends, registrations and
tables. A slave asks for topics (21), offsets (43), delay progress (45) and groups (201) every ``slave_sync_ms``, on
the main port (RocketMQ asks 21 on the VIP port). Copies go one way: what was committed at a slave is overwritten by
its master. Clauses: rep-meta, rep-slave-read. Sources: RocketMQ SlaveSynchronize, BrokerController.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, Final

from reference_impl.broker import persistence
from reference_impl.broker.arrivals import NOT_AVAILABLE_REMARK, arrived
from reference_impl.broker.registration import of_registration
from reference_impl.broker.request import RefusalError, Request
from reference_impl.broker.sends import REGION_FIELDS
from reference_impl.broker.state import BrokerState
from reference_impl.commands import RequestCode, ResponseCode
from reference_impl.effects import Call, Effect, StreamClose
from reference_impl.errors import WireError
from reference_impl.frame import Command
from reference_impl.loose_json import loads_loose

SYNC_TIMEOUT_MS: Final = 3000
"""How long the master may take to answer with a table [BrokerOuterAPI]."""
SLAVE_TABLES_REMARK: Final = (
    "Can't modify topic or subscription group from slave broker, please execute it from master broker."
)
_SENDS: Final = frozenset({RequestCode.SEND_MESSAGE, RequestCode.SEND_MESSAGE_V2, RequestCode.SEND_BATCH_MESSAGE})
_TABLE_CHANGES: Final = frozenset(
    {
        RequestCode.UPDATE_AND_CREATE_TOPIC,
        RequestCode.DELETE_TOPIC_IN_BROKER,
        RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP,
        RequestCode.DELETE_SUBSCRIPTIONGROUP,
    }
)
_TOKEN: Final = "slave-sync-"  # noqa: S105 - the name of a call


def refuse_on_slave(request: Request) -> None:
    """What only a master takes. RefusalError: 14 a send, 1 a send-back, a topic or a group (live 4.9.7)."""
    code = request.command.code
    if code in _SENDS:
        raise RefusalError(ResponseCode.SERVICE_NOT_AVAILABLE, NOT_AVAILABLE_REMARK, REGION_FIELDS)
    if code == RequestCode.CONSUMER_SEND_MSG_BACK:
        raise RefusalError(ResponseCode.SYSTEM_ERROR, "SERVICE_NOT_AVAILABLE")
    if code in _TABLE_CHANGES:
        raise RefusalError(ResponseCode.SYSTEM_ERROR, SLAVE_TABLES_REMARK)


def stream(state: BrokerState, now_ms: int, number: int, data: bytes | None) -> list[Effect]:
    """An HA connection opened (b""), brought bytes, or ended (None)."""
    if state.slave is not None:
        if number > 0:
            return [StreamClose(number, "this broker is a slave and has no slaves")] if data == b"" else []
        effects, records = state.slave.stream(now_ms, number, data)
        for found in records:
            if (found.topic, found.queue_id) in state.held.waiting:
                record = state.store.record_at(found.position)
                effects += arrived(state, record, now_ms) if record is not None else []
        return effects
    if state.master is None:
        return []
    effects = state.master.stream(now_ms, number, data)
    return effects + state.replica_line.reached(state.master.acked_position)


def tick(state: BrokerState, now_ms: int) -> list[Effect]:
    """Send what was appended, keep the connections alive, give up on late slaves."""
    effects = state.replica_line.expired(now_ms)
    for side in (state.master, state.slave):
        if side is not None:
            effects += side.tick(now_ms)
    return effects


def next_deadlines_ms(state: BrokerState) -> list[int | None]:
    """Times at which ``tick`` has something to do."""
    sides = (state.replica_line, state.master, state.slave)
    return [side.next_deadline_ms() for side in sides if side is not None]


def send_appended(state: BrokerState, now_ms: int) -> list[Effect]:
    """The log may have grown: the slaves get it."""
    return [] if state.master is None else state.master.appended(now_ms)


def registered(state: BrokerState, now_ms: int, token: str, answer: Command | None) -> list[Effect]:
    """A NameServer answered a slave's registration: it names the master, where one is alive."""
    if state.slave is None or not of_registration(token) or answer is None or answer.code != ResponseCode.SUCCESS:
        return []
    effects: list[Effect] = []
    ha_address, address = answer.fields.get("haServerAddr", ""), answer.fields.get("masterAddr", "")
    if ha_address and not state.settings.haMasterAddress:
        effects += state.slave.follow(now_ms, ha_address)
    if address and address != state.master_address:
        state.master_address = address
        effects += ask_tables(state)
    return effects


def ask_tables(state: BrokerState) -> list[Effect]:
    """A slave asks its master for all tables."""
    if state.slave is None or not state.master_address:
        return []
    return [Call(state.master_address, Command(code=code), f"{_TOKEN}{int(code)}", SYNC_TIMEOUT_MS) for code in _TABLES]


def answered(state: BrokerState, token: str, answer: Command | None) -> list[Effect]:
    """The master answered, or did not: a table that cannot be had or read stays as it is until the next period."""
    code = token.removeprefix(_TOKEN)
    if code == token or answer is None or answer.code != ResponseCode.SUCCESS:
        return []
    with contextlib.suppress(WireError, ValueError, KeyError, TypeError, AttributeError, OSError):
        _TABLES[RequestCode(int(code))](state, loads_loose(answer.body))
    return []


def _take_topics(state: BrokerState, shape: dict[str, Any]) -> None:
    state.topics.replace_json(shape)
    if state.topics.unsaved:
        persistence.save_topics(state)


def _take_offsets(state: BrokerState, shape: dict[str, Any]) -> None:
    state.offsets.load_json(shape)
    state.offsets.unsaved = True


def _take_progress(state: BrokerState, shape: dict[str, Any]) -> None:
    state.schedule.load_json(shape)
    state.schedule.unsaved = True


def _take_groups(state: BrokerState, shape: dict[str, Any]) -> None:
    state.groups.replace_json(shape)


_TABLES: Final[dict[RequestCode, Callable[[BrokerState, dict[str, Any]], None]]] = {
    RequestCode.GET_ALL_TOPIC_CONFIG: _take_topics,
    RequestCode.GET_ALL_CONSUMER_OFFSET: _take_offsets,
    RequestCode.GET_ALL_DELAY_OFFSET: _take_progress,
    RequestCode.GET_ALL_SUBSCRIPTIONGROUP_CONFIG: _take_groups,
}
