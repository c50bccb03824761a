"""mqcheck.sabotage.producers: each planted bug does what it says."""

from __future__ import annotations

from mqcheck.rocketmq.models import MessageQueue
from mqcheck.sabotage import seam_of

QUEUES = tuple(MessageQueue("T", "broker-a", queue) for queue in range(3))


def test_forget_failed_broker() -> None:
    assert seam_of("forget-failed-broker").failed_broker("broker-a") is None
    assert seam_of(None).failed_broker("broker-a") == "broker-a"


def test_always_ok() -> None:
    seam = seam_of("always-ok")
    assert [seam.told(told) for told in ("ok", "kept", "error", "unknown")] == ["ok", "kept", "ok", "unknown"]


def test_turn_shards() -> None:
    seam = seam_of("turn-shards")
    assert len({seam.shard(QUEUES[0], QUEUES) for _ in QUEUES}) == len(QUEUES)
