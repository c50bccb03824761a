"""Which queues a member owns: the official default strategy. Pure. Source: AllocateMessageQueueAveragely."""

from __future__ import annotations

from collections.abc import Sequence

from mqcheck.rocketmq.models import MessageQueue


def average(member: str, members: Sequence[str], queues: Sequence[MessageQueue]) -> tuple[MessageQueue, ...]:
    """This member's consecutive part of the sorted queues; nothing for somebody who is not a member."""
    ids, sorted_queues = sorted(set(members)), sorted(queues)
    if member not in ids:
        return ()
    index = ids.index(member)
    each, extra = divmod(len(sorted_queues), len(ids))
    start = index * each + min(index, extra)
    return tuple(sorted_queues[start : start + each + (1 if index < extra else 0)])
