"""Where a planted bug of the kit's own client gets hold of what the client is made of.

This one changes nothing. The bugs are ``mqcheck.sabotage``'s: each is a seam of its own, so that no part of the client
knows of any.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from mqcheck.rocketmq.models import ClientSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mqcheck.rocketmq.consumer.share import Share
    from mqcheck.rocketmq.models import MessageQueue

Told = Literal["ok", "kept", "error", "unknown"]
"""What a send call tells its caller."""


class Seam:
    """Leaves everything as it is; one per client."""

    def settings(self, settings: ClientSettings) -> ClientSettings:
        """The numbers by which the client acts; what `config` says of it stays."""
        return settings

    def share(self, share: Share, *, broadcasting: bool, orderly: bool) -> Share:
        """A fresh ownership of a queue; called before anything was pulled."""
        del broadcasting, orderly
        return share

    def wanted(self, wanted: bool) -> bool:
        """Whether a record that was pulled has a tag that the group subscribed to: others are not handed on."""
        return wanted

    def failed_broker(self, broker: str | None) -> str | None:
        """The broker that the next attempt of a send avoids: the one of the last attempt."""
        return broker

    def shard(self, queue: MessageQueue, queues: Sequence[MessageQueue]) -> MessageQueue:
        """The queue of a sharding key."""
        del queues
        return queue

    def told(self, told: Told) -> Told:
        """What a send call tells its caller."""
        return told
