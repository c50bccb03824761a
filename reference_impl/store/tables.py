"""The broker's JSON tables on disk: read at start, replaced as a whole. Their shapes belong to those who own the
tables.

RocketMQ writes these files without ever syncing them, so after a power cut they can all be empty while the messages
are still there. Here a replaced table is the earlier or the later one, never a mix, and whoever acknowledges
something that depends on a table saves it with ``durable=True`` first (``topics.json`` before the first
acknowledgement to a topic).

Source: rocketmq ConfigManager, BrokerPathConfigHelper.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from reference_impl.disk import Disk
from reference_impl.errors import JsonError, StoreDamagedError
from reference_impl.loose_json import dumps, loads_loose

TOPICS: Final = "config/topics.json"
SUBSCRIPTION_GROUPS: Final = "config/subscriptionGroup.json"
CONSUMER_OFFSETS: Final = "config/consumerOffset.json"
DELAY_OFFSETS: Final = "config/delayOffset.json"
DELETED_TOPICS: Final = "config/deletedTopics.json"
"""Ours: RocketMQ deletes the files of the topic's queues."""
QUEUE_ENDS: Final = "config/queueEnds.json"
"""Where queues go on whose messages are all too old to be kept; RocketMQ keeps the last file of each queue instead."""


def load_table(disk: Disk, name: str) -> dict[str, Any] | None:
    """The saved table, or None where none was ever saved (or the file is empty). Files that RocketMQ wrote can be
    read too.

    Raises ``StoreDamagedError`` when the file is not a JSON object.
    """
    data = disk.read_file(name)
    if not data:
        return None
    try:
        table = loads_loose(data)
    except JsonError as error:
        raise StoreDamagedError(f"{name}: {error}; restore the file from a copy, or delete it to begin anew") from error
    if not isinstance(table, dict):
        shown = data[:40].decode("utf-8", "replace")
        raise StoreDamagedError(
            f"{name} begins with {shown!r}, not a JSON object; restore it from a copy, or delete it"
        )
    return table


def save_table(disk: Disk, name: str, table: Mapping[str, Any], *, durable: bool) -> None:
    """Replace the saved table. With ``durable`` it is on the disk when this returns; ``OSError`` when it is not."""
    disk.replace(name, dumps(table), durable=durable)
