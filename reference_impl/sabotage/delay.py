"""Planted bugs of delayed messages: early, or never.

Each class says what it breaks and which guarantee must catch it.
"""

from __future__ import annotations

import re
from typing import Final, cast

from msgspec.structs import replace

from reference_impl.commands import PROPERTY_DELAY, PROPERTY_REAL_TOPIC, RETRY_PREFIX, RequestCode
from reference_impl.effects import Effect
from reference_impl.frame import Command
from reference_impl.message import Host, Message
from reference_impl.sabotage.base import Passing, PassingCore, Sabotage, around_core, around_store
from reference_impl.store import Appended, Store

LOSE_EVERY: Final = 4
"""Every how many delayed messages ``lose-delayed`` loses one."""
_PROPERTIES_OF_SENDS: Final = {int(RequestCode.SEND_MESSAGE): "properties", int(RequestCode.SEND_MESSAGE_V2): "i"}
"""Codes of single sends, and the field that holds a message's properties."""
_DELAY: Final = re.compile(f"(^|\x02){PROPERTY_DELAY}\x01[0-9]+")


class DeliverEarly(PassingCore):
    """Takes every delay for the shortest one; dly-not-early must catch it."""

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Sends ask for level 1."""
        field = _PROPERTIES_OF_SENDS.get(command.code)
        if field is not None and field in command.fields:
            shorter = _DELAY.sub(f"\\g<1>{PROPERTY_DELAY}\x011", command.fields[field])
            command = replace(command, fields={**command.fields, field: shorter})
        return super().request(now_ms, conn, peer, command)


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
        "lose-delayed",
        "never delivers every fourth delayed message",
        "dly-alo",
        wrap_store=around_store(LoseDelayed),
    ),
)
