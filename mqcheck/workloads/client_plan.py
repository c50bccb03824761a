"""What a client in a process of its own is told to do, as data that travels over a pipe.

Launcher and client process share these; nothing here starts or connects anything.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from mqcheck.rocketmq.models import ClientSettings, FromWhere, Mode


class ClientPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One client: a consumer that works through messages, or a producer that sends steadily."""

    name: str
    """As the history calls the process and the client."""
    role: Literal["consumer", "producer"]
    group: str
    subscriptions: dict[str, str] = {}
    """Consumer: topic → tag expression."""
    mode: Mode = "clustering"
    orderly: bool = False
    from_where: FromWhere = "first"
    max_reconsume: int = 16
    work_ms: int = 0
    """Consumer: how long its listener takes for a message."""
    fail_deliveries: int = 0
    """Consumer: so many first deliveries of each message are answered RECONSUME_LATER."""
    topic: str = ""
    """Producer: where it sends."""
    rate_per_s: float = 20.0
    """Producer: messages per second."""


class ClientOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a client process needs: the plan, and its place in the run."""

    plan: ClientPlan
    run: str
    seed: int
    """Of the run."""
    purpose: str
    """What the client's own generator is seeded with, beside the seed."""
    number: int
    """Of the stream: unique in the run, new for every life."""
    life: int
    events: str
    """Folder of the streams."""
    nameservers: tuple[str, ...]
    nameserver_names: tuple[str, ...]
    settings: ClientSettings
    sabotage: str | None = None
    """A bug planted in the client, by name."""
