"""Planted bugs of delayed messages: early, late, elsewhere, or never.

Each class says what it breaks and which guarantee must catch it.
"""

from __future__ import annotations

import re
from typing import Final, cast

from msgspec.structs import replace

from reference_impl.commands import (
    PROPERTY_DELAY,
    PROPERTY_REAL_QID,
    PROPERTY_REAL_TOPIC,
    RETRY_PREFIX,
    SCHEDULE_TOPIC,
    RequestCode,
)
from reference_impl.effects import Effect
from reference_impl.frame import Command
from reference_impl.message import Host, Message
from reference_impl.sabotage.base import CoreSettings, Passing, PassingCore, Sabotage, around_core, around_store
from reference_impl.server import Core
from reference_impl.settings import BrokerSettings
from reference_impl.store import Appended, Store

LOSE_EVERY: Final = 4
"""Every how many delayed messages ``lose-delayed`` loses one."""
_PROPERTIES_OF_SENDS: Final = {int(RequestCode.SEND_MESSAGE): "properties", int(RequestCode.SEND_MESSAGE_V2): "i"}
"""Codes of single sends, and the field that holds a message's properties."""
_DELAY: Final = re.compile(f"(^|\x02){PROPERTY_DELAY}\x01(-?[0-9]+)")
LATER_LEVELS: Final = 10
"""So many levels higher than it asks for is a message put by ``deliver-late``."""


class _OtherLevel(PassingCore):
    """Sends with a delay level ask for another one."""

    def level(self, wanted: int) -> int:
        """The level taken for the one that was asked for."""
        raise NotImplementedError

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Change the property of sends; everything else as it is."""
        field = _PROPERTIES_OF_SENDS.get(command.code)
        if field is not None and field in command.fields:
            changed = _DELAY.sub(
                lambda found: f"{found[1]}{PROPERTY_DELAY}\x01{self.level(int(found[2]))}", command.fields[field]
            )
            command = replace(command, fields={**command.fields, field: changed})
        return super().request(now_ms, conn, peer, command)


class DeliverEarly(_OtherLevel):
    """Takes every delay for the shortest one; dly-not-early must catch it."""

    def level(self, wanted: int) -> int:
        """The first, for one that waits."""
        return min(wanted, 1)


class DeliverLate(_OtherLevel):
    """Takes every delay for one ten levels longer; dly-timely must catch it."""

    def level(self, wanted: int) -> int:
        """A later one, for one that waits."""
        return wanted + LATER_LEVELS if wanted > 0 else wanted


class ClampLow(_OtherLevel):
    """Takes a level above the highest for the lowest; dly-not-early must catch it."""

    def __init__(self, inner: Core, levels: int) -> None:
        super().__init__(inner)
        self.levels = levels

    def level(self, wanted: int) -> int:
        """The first instead of the last."""
        return wanted if wanted <= self.levels else 1


def _clamp_low(core: Core, settings: CoreSettings) -> Core:
    return ClampLow(core, len(settings.messageDelayLevel.split())) if isinstance(settings, BrokerSettings) else core


class DelayNegative(_OtherLevel):
    """Takes a level below 1 for the first; dly-none must catch it."""

    def level(self, wanted: int) -> int:
        """The first instead of none."""
        return wanted if wanted > 0 else 1


class WakeInFirstQueue(Passing):
    """Delivers every delayed message in its topic's first queue; dly-topic must catch it."""

    def append(self, message: Message, now_ms: int, store_host: Host) -> Appended:
        """Store; what begins to wait forgets its queue."""
        if message.topic == SCHEDULE_TOPIC:
            message = replace(message, properties={**message.properties, PROPERTY_REAL_QID: "0"})
        return cast(Appended, self.inner.append(message, now_ms, store_host))


class ForgetDelayed(Passing):
    """Starts without the delayed messages that waited at the end of its earlier life; dly-alo must catch it."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.starts: dict[int, int] = {}

    def min_offset(self, topic: str, queue_id: int) -> int:
        """A schedule queue begins where it ended when it was first asked for: at the start."""
        if topic != SCHEDULE_TOPIC:
            return cast(int, self.inner.min_offset(topic, queue_id))
        return self.starts.setdefault(queue_id, self.inner.max_offset(topic, queue_id))


class LoseDelayed(Passing):
    """Acknowledges every fourth delayed message and never delivers it; dly-alo must catch it.

    When its time comes it is put into a topic that nobody asked for.
    """

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.count = 0

    def append(self, message: Message, now_ms: int, store_host: Host) -> Appended:
        """Store, perhaps under another destination."""
        topic = message.properties.get(PROPERTY_REAL_TOPIC)
        if topic is not None and PROPERTY_DELAY in message.properties and not topic.startswith(RETRY_PREFIX):
            self.count += 1
            if self.count % LOSE_EVERY == 0:
                astray = {**message.properties, PROPERTY_REAL_TOPIC: f"{topic}-astray"}
                message = replace(message, properties=astray)
        return cast(Appended, self.inner.append(message, now_ms, store_host))


SABOTAGES: Final = (
    Sabotage(
        "deliver-early",
        "takes every delay level for the shortest",
        "dly-not-early",
        wrap_core=around_core(DeliverEarly),
    ),
    Sabotage(
        "deliver-late",
        "takes every delay level for one ten higher",
        "dly-timely",
        wrap_core=around_core(DeliverLate),
    ),
    Sabotage(
        "clamp-low",
        "takes a delay level above the highest for the lowest",
        "dly-not-early",
        wrap_core=_clamp_low,
    ),
    Sabotage(
        "delay-negative",
        "takes a delay level below 1 for the first",
        "dly-none",
        wrap_core=around_core(DelayNegative),
    ),
    Sabotage(
        "wake-in-first-queue",
        "delivers every delayed message in the first queue of its topic",
        "dly-topic",
        wrap_store=around_store(WakeInFirstQueue),
    ),
    Sabotage(
        "forget-delayed",
        "starts without the delayed messages that waited when it ended",
        "dly-alo",
        wrap_store=around_store(ForgetDelayed),
    ),
    Sabotage(
        "lose-delayed",
        "never delivers every fourth delayed message",
        "dly-alo",
        wrap_store=around_store(LoseDelayed),
    ),
)
