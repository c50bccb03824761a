"""Administration of the broker as a whole: settings (25, 26), figures (28, 315), and what NameServers tell it about
ordered topics.

What a client may rely on: after SUCCESS of 25 the settings are in force; a refused change changes nothing. What it may
not: that a change outlives the process. Sources: RocketMQ AdminBrokerProcessor, Configuration, StoreStatsService.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from reference_impl.broker.persistence import save_topics
from reference_impl.broker.registration import ORDER_ROUND
from reference_impl.broker.request import RefusalError, Request
from reference_impl.broker.state import BrokerState, Handler
from reference_impl.commands import VERSION_CURRENT, RequestCode, ResponseCode
from reference_impl.delivery.statistics import Sample, Tally, shown
from reference_impl.effects import Effect
from reference_impl.errors import JsonError, SettingsError
from reference_impl.frame import Command
from reference_impl.headers import text
from reference_impl.loose_json import dumps, loads_loose
from reference_impl.rocketmq_defaults import broker_defaults
from reference_impl.settings import BrokerSettings, changed, parse_properties, properties_text


def update_config(state: BrokerState, request: Request) -> list[Effect]:
    """25: change settings while running; unknown names are left out. Codes 0, 1.

    A setting that is read at the start alone is refused, where RocketMQ answers SUCCESS and waits for the next start.
    """
    # DECODE
    body = request.command.body.decode("utf-8", "replace")
    # CHECK
    try:
        settings = changed(state.settings, parse_properties(body))
    except SettingsError as error:
        raise RefusalError(ResponseCode.SYSTEM_ERROR, str(error)) from error
    # APPLY
    permission = state.settings.brokerPermission
    _apply(state, settings)
    state.settings_version.advance(request.now_ms)
    effects: list[Effect] = []
    if settings.brokerPermission != permission:
        state.topics.version.advance(request.now_ms)
        save_topics(state)
        effects = state.registrar.register(state.topics)
    # REPLY
    return [*request.reply(), *effects]


def broker_config(state: BrokerState, request: Request) -> list[Effect]:
    """26: every property of RocketMQ and ours with its value, as properties text. Code 0."""
    # DECODE, CHECK, APPLY: nothing asked for, nothing to refuse, nothing changes
    # REPLY
    body = properties_text({**broker_defaults(), **state.settings.effective()})
    return request.reply(fields={"version": dumps(state.settings_version.to_json()).decode()}, body=body)


def stats_data(state: BrokerState, request: Request) -> list[Effect]:
    """315: one figure over the last minute, hour and day. Codes 0, 1 (nothing counted under that name and key).

    Counted are TOPIC_PUT, GROUP_GET, SNDBCK_PUT, BROKER_PUT and BROKER_GET (``_NUMS``, and ``_SIZE`` of the first two).
    """
    # DECODE
    fields = request.command.fields
    name, key = text(fields, "statsName"), text(fields, "statsKey")
    # CHECK
    found = state.statistics.find(name, key, state.settings.brokerClusterName)
    if found is None:
        raise RefusalError(ResponseCode.SYSTEM_ERROR, f"The stats <{name}> <{key}> not exist")
    # APPLY: nothing changes
    # REPLY
    return request.reply(body=dumps(found))


def runtime_info(state: BrokerState, request: Request) -> list[Effect]:
    """28: figures for the operator, under RocketMQ's names. Code 0.

    Thread pools and their queues do not exist here and are shown as empty; what nobody measures (times of puts and
    gets) is left out. Beside RocketMQ's there are ``reference.*`` figures.
    """
    # DECODE, CHECK, APPLY: nothing asked for, nothing to refuse, nothing changes
    # REPLY
    table = {**_identity(state, request.now_ms), **_traffic(state), **_log_figures(state), **_EMPTY_POOLS}
    table |= {
        "reference.pullsHeld": str(state.held.count),
        "reference.consumerGroupsOnline": str(len(state.members.consumers)),
        "reference.unexpectedErrors": str(state.unexpected_errors),
        "reference.producerGroupsOnline": str(len(state.members.producers)),
    }
    return request.reply(body=dumps({"table": table}))


def registered(state: BrokerState, now_ms: int, token: str, answer: Command | None) -> list[Effect]:
    """A NameServer answered a registration, or failed. Of a periodic one the body says which topics are ordered."""
    if token.startswith(ORDER_ROUND) and answer is not None and answer.code == ResponseCode.SUCCESS and answer.body:
        try:
            body = loads_loose(answer.body)
        except JsonError:
            body = None
        table = body.get("table") if isinstance(body, dict) else None
        if isinstance(table, dict) and state.topics.set_order(table, now_ms):
            save_topics(state)
    return state.registrar.answered(token)


def _apply(state: BrokerState, settings: BrokerSettings) -> None:
    """Hand settings to those who keep their own copy."""
    state.settings = settings
    state.registrar.settings = settings
    state.topics.auto_create = settings.autoCreateTopicEnable
    state.groups.auto_create = settings.autoCreateSubscriptionGroup
    state.members.expiry_ms = settings.client_expiry_ms
    state.locks.expiry_ms = settings.lock_expiry_ms


_POOLS: Final = {"sendThreadPoolQueue": 10_000, "pullThreadPoolQueue": 100_000, "queryThreadPoolQueue": 20_000}
_EMPTY_POOLS: Final = {
    **{f"{pool}Size": "0" for pool in _POOLS},
    **{f"{pool}HeadWaitTimeMills": "0" for pool in _POOLS},
    **{f"{pool}Capacity": str(capacity) for pool, capacity in _POOLS.items()},
    "EndTransactionQueueSize": "0",
    "EndTransactionThreadPoolQueueCapacity": "100000",
    "pageCacheLockTimeMills": "0",
    "dispatchBehindBytes": "0",
    "dispatchMaxBuffer": "0",
    "startAcceptSendRequestTimeStamp": "0",
}
"""What RocketMQ shows of its thread pools and of its dispatch, which has none here to be behind."""


def _identity(state: BrokerState, now_ms: int) -> dict[str, str]:
    seconds = max(0, now_ms - state.started_ms) // 1000
    days, hours, minutes = seconds // 86_400, seconds // 3600 % 24, seconds // 60 % 60
    return {
        "brokerVersion": str(VERSION_CURRENT),
        "brokerVersionDesc": f"V{state.settings.version.replace('.', '_')}",
        "bootTimestamp": str(state.started_ms),
        "runtime": f"[ {days} days, {hours} hours, {minutes} minutes, {seconds % 60} seconds ]",
    }


def _traffic(state: BrokerState) -> dict[str, str]:
    counts = state.statistics
    puts, gets = counts.all_puts, counts.all_gets
    (puts_yesterday, gets_yesterday), (puts_today, gets_today) = counts.mornings
    return {
        "msgPutTotalYesterdayMorning": str(puts_yesterday),
        "msgPutTotalTodayMorning": str(puts_today),
        "msgPutTotalTodayNow": str(puts.messages),
        "msgGetTotalYesterdayMorning": str(gets_yesterday),
        "msgGetTotalTodayMorning": str(gets_today),
        "msgGetTotalTodayNow": str(gets.messages),
        "putMessageTimesTotal": str(puts.messages),
        "putMessageSizeTotal": str(puts.bytes),
        "putMessageAverageSize": str(puts.bytes / puts.messages if puts.messages else 0.0),
        "putTps": _rates(1, puts),
        "getTransferedTps": _rates(1, gets),
        "getFoundTps": _rates(3, gets),
        "getMissTps": _rates(3, counts.all_misses),
        "getTotalTps": _rates(3, gets, counts.all_misses),
    }


def _rates(column: int, *tallies: Tally) -> str:
    """Per second over 10 s, a minute and ten minutes, all tallies together; nothing where there is no figure yet."""
    spans = zip(*map(_spans, tallies), strict=True)
    return " ".join(str(sum(shown(each, column).tps for each in span)) if len(span[0]) > 1 else "" for span in spans)


def _spans(tally: Tally) -> tuple[deque[Sample], deque[Sample], deque[Sample]]:
    minute = tally.minute
    return (
        deque(list(minute)[-2:]),
        minute if len(minute) == minute.maxlen else deque(),
        deque(list(tally.hour)[-2:]),
    )


def _log_figures(state: BrokerState) -> dict[str, str]:
    store = state.store
    unsynced = store.appended_position - store.synced_position
    times = (store.earliest_time(topic, queue_id) for topic, queue_id in store.queues())
    space = state.disk.space()
    return {
        "commitLogMaxOffset": str(store.appended_position),
        "earliestMessageTimeStamp": str(min((time_ms for time_ms in times if time_ms >= 0), default=-1)),
        "remainHowManyDataToFlush": _human(unsynced),
        "commitLogDirCapacity": f"Total : {_human(space.total)}, Free : {_human(space.usable)}.",
        "commitLogDiskRatio": f"{space.ratio:.2f}",
        "consumeQueueDiskRatio": f"{space.ratio:.2f}",
    }


def _human(size: int) -> str:
    """RocketMQ: MixAll.humanReadableByteCount, in powers of 1024."""
    if size < 1024:
        return f"{size} B"
    value, units = float(size), iter("KMGTPE")
    unit = ""
    while value >= 1024:
        value, unit = value / 1024, next(units)
    return f"{value:.1f} {unit}iB"


HANDLERS: Final[dict[int, Handler]] = {
    RequestCode.UPDATE_BROKER_CONFIG: update_config,
    RequestCode.GET_BROKER_CONFIG: broker_config,
    RequestCode.GET_BROKER_RUNTIME_INFO: runtime_info,
    RequestCode.VIEW_BROKER_STATS_DATA: stats_data,
}
"""What this module serves, by code."""
