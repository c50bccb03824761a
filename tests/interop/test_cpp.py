"""The official C++ client against the reference; and against a real broker, which shows that our program is right."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from clients import FEATURES, SETTINGS, WHOLE, WHOLE_REASON, WRAPPER_LACKS, Cluster, Result, failures, keep, reference
from cpp_client import CLIENT, lacking, names, run
from java_broker import java_cluster, missing

pytestmark = [
    pytest.mark.interop,
    pytest.mark.slow,
    pytest.mark.skipif(lacking() is not None, reason=str(lacking())),
]
HANDFUL = ("send-sync", "send-unicode", "consume-tags", "consume-retry")
KNOWN = {"send-batch": "the client marks a batch by 1, which a broker of 4.9.7 does not take for true"}
"""Feature → why it does not work, with a real broker of 4.9.7 as little as with the reference."""
LACKING = {
    "consume-orderly-dead-letter": "the client retries a message in order for ever, and has no limit to set",
    "consume-retry-tail": "the client gives a callback one message at a time",
}
"""Feature → why there is nothing to try, where it is not for want of a call."""


def keep_all(client: str, results: Sequence[Result]) -> None:
    """Keep what was tried, and the reason for the rest."""
    assert set(names()) <= set(FEATURES)
    told = [Result(client, each.feature, each.works, KNOWN.get(each.feature, each.reason)) for each in results]
    rest = [name for name in FEATURES if name not in names()]
    keep(client, told + [Result(client, name, False, LACKING.get(name, WRAPPER_LACKS)) for name in rest])


def test_a_handful_works(tmp_path: Path) -> None:
    with reference(tmp_path) as cluster:
        results = run(cluster, tmp_path, HANDFUL)
    assert {result.feature for result in results} == set(HANDFUL)
    assert failures(results, {}) == []


@pytest.mark.skipif(not WHOLE, reason=WHOLE_REASON)
@pytest.mark.timeout(900)
def test_the_whole_client(tmp_path: Path) -> None:
    with reference(tmp_path) as cluster:
        results = run(cluster, tmp_path)
    keep_all(CLIENT, results)
    assert failures(results, KNOWN) == []


@pytest.mark.skipif(not WHOLE or missing("java", "mvn") is not None, reason=WHOLE_REASON)
@pytest.mark.timeout(900)
def test_our_program_finds_the_same_in_a_real_broker(tmp_path: Path) -> None:
    with java_cluster("4.9.7", tmp_path / "home", SETTINGS) as real:
        results = run(Cluster(real.namesrv, real.broker), tmp_path)
    keep_all(f"{CLIENT}@apache-4.9.7", results)
    assert failures(results, KNOWN) == []
