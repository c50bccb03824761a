"""Committed offsets: how far each group has read each queue. The last writer wins, and may go backwards.

Must not judge offsets against the store; handlers do. Source: RocketMQ ConsumerOffsetManager.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct, field

SEPARATOR = "@"
"""Between topic and group in the keys of ``consumerOffset.json``."""


class OffsetTable(Struct):
    """Offsets by (topic, group) and queue; each is the next offset to be read."""

    offsets: dict[tuple[str, str], dict[int, int]] = field(default_factory=dict)
    unsaved: bool = False
    """A commit is not in ``consumerOffset.json`` yet."""

    def commit(self, group: str, topic: str, queue_id: int, offset: int) -> None:
        """Store an offset as given, whatever was there."""
        queues = self.offsets.setdefault((topic, group), {})
        queues[queue_id] = offset
        self.unsaved = True

    def query(self, group: str, topic: str, queue_id: int) -> int | None:
        """The stored offset (a negative one reads as 0), None where nothing was committed."""
        offset = self.offsets.get((topic, group), {}).get(queue_id)
        return None if offset is None else max(0, offset)

    def forget_topic(self, topic: str) -> None:
        """A topic is gone: so are all offsets in it."""
        for key in [key for key in self.offsets if key[0] == topic]:
            del self.offsets[key]
            self.unsaved = True

    def forget_group(self, group: str) -> None:
        """A group is gone: so are all its offsets."""
        for key in [key for key in self.offsets if key[1] == group]:
            del self.offsets[key]
            self.unsaved = True

    def groups_of(self, topic: str) -> list[str]:
        """Groups that have committed an offset of a topic."""
        return [group for found, group in self.offsets if found == topic]

    def topics_of(self, group: str) -> list[str]:
        """Topics of which a group has committed an offset."""
        return [topic for topic, found in self.offsets if found == group]

    def clone(self, source: str, target: str, topic: str) -> None:
        """Give one group the offsets that another has of a topic, in place of its own; nothing where it has none."""
        queues = self.offsets.get((topic, source))
        if queues is not None:
            self.offsets[topic, target] = dict(queues)
            self.unsaved = True

    def reset(self) -> None:
        """Forget every offset."""
        self.offsets.clear()
        self.unsaved = True

    def items(self) -> Iterator[tuple[str, str, int, int]]:
        """(group, topic, queue, offset) of everything committed."""
        for (topic, group), queues in self.offsets.items():
            for queue_id, offset in queues.items():
                yield group, topic, queue_id, offset

    def to_json(self) -> dict[str, Any]:
        """RocketMQ's ConsumerOffsetSerializeWrapper: ``consumerOffset.json`` and code 43."""
        table = {
            f"{topic}{SEPARATOR}{group}": {str(queue): offset for queue, offset in queues.items()}
            for (topic, group), queues in self.offsets.items()
        }
        return {"offsetTable": table}

    def load_json(self, shape: dict[str, Any]) -> None:
        """Take over a saved table; keys without the separator are left out."""
        for key, queues in shape.get("offsetTable", {}).items():
            topic, separator, group = key.partition(SEPARATOR)
            if separator:
                self.offsets[topic, group] = {int(queue): int(offset) for queue, offset in queues.items()}
