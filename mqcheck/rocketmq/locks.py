"""Queue locks at brokers: LOCK_BATCH_MQ and UNLOCK_BATCH_MQ with their rows, one per queue.

Which queues to lock and how long to trust a lock is the orderly consumer's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from mqcheck.errors import FrameError, UnansweredError, UnsentError
from mqcheck.rocketmq.client import Client
from mqcheck.rocketmq.codes import RequestCode, ResponseCode
from mqcheck.rocketmq.heartbeat import lock_body, parse_locked
from mqcheck.rocketmq.models import MessageQueue


async def lock_request(
    client: Client,
    kind: Literal["lock", "unlock"],
    queues: Sequence[MessageQueue],
    node: str,
    address: str | None,
    *,
    group: str,
    member: str,
) -> tuple[str, frozenset[MessageQueue]]:
    """Ask and record; gives the outcome and the queues granted (or given back); never raises for the broker."""
    recorder = client.recorder
    ops = [_began(client, kind, queue, node, group, member) for queue in queues]
    code = RequestCode.LOCK_BATCH_MQ if kind == "lock" else RequestCode.UNLOCK_BATCH_MQ
    done: frozenset[MessageQueue] = frozenset()
    try:
        outcome = "unsent"
        if address is not None:
            answer = await client.call(address, client.command(code, body=lock_body(member, group, queues)), op=ops[0])
            outcome = "ok" if answer.code == ResponseCode.SUCCESS else "error"
            if outcome == "ok":
                done = parse_locked(answer.body) if kind == "lock" else frozenset(queues)
    except UnsentError:
        outcome = "unsent"
    except UnansweredError:
        outcome = "unknown"
    except FrameError:
        outcome = "error"
    for queue, op in zip(queues, ops, strict=True):
        granted = queue in done if kind == "lock" and outcome == "ok" else None
        recorder.end("locks", op, outcome=outcome, granted=granted)
    return outcome, done


def _began(client: Client, kind: str, queue: MessageQueue, node: str, group: str, member: str) -> int:
    columns: dict[str, Any] = {"broker": queue.broker, "topic": queue.topic, "queue": queue.queue}
    return client.recorder.begin("locks", kind=kind, consumer_group=group, member=member, node=node, **columns)
