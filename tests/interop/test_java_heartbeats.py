"""The official Java client 5.4.0 with heartbeats of the second kind, which leave out subscriptions that are known."""

from __future__ import annotations

from pathlib import Path

import pytest
from clients import WHOLE, WHOLE_REASON, failures, reference
from java_broker import missing
from java_client import run

pytestmark = [
    pytest.mark.interop,
    pytest.mark.slow,
    pytest.mark.skipif(missing("java", "javac", "mvn") is not None, reason=str(missing("java", "javac", "mvn"))),
]
FEATURES = (
    "consume-concurrent",
    "consume-tags",
    "consume-orderly",
    "consume-rebalance",
    "consume-resume",
    "pull-lite-subscribe",
)
PROPERTIES = {"com.rocketmq.heartbeat.v2": "true"}


@pytest.mark.skipif(not WHOLE, reason=WHOLE_REASON)
def test_consuming_works_with_heartbeats_that_leave_out_subscriptions(tmp_path: Path) -> None:
    with reference(tmp_path) as cluster:
        results = run("5.4.0", cluster, tmp_path, FEATURES, properties=PROPERTIES)
    assert {result.feature for result in results} == set(FEATURES)
    assert failures(results, {}) == []
