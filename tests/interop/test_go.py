"""The official Go client against the reference; and against a real broker, which shows that our program is right."""

from __future__ import annotations

from pathlib import Path

import pytest
from clients import NO_SUCH_CALL, SETTINGS, WHOLE, WHOLE_REASON, Cluster, failures, keep, reference
from go_client import client, names, run
from java_broker import java_cluster, missing

pytestmark = [
    pytest.mark.interop,
    pytest.mark.slow,
    pytest.mark.skipif(missing("go") is not None, reason=str(missing("go"))),
]
HANDFUL = ("send-sync", "consume-tags", "consume-retry", "transaction-check", "request-reply")
KNOWN_OF_THE_REAL_BROKER = {"admin-topic": "4.9.7 keeps a deleted topic in the NameServer for this client"}
"""Feature → why it does not work with a real broker of 4.9.7 either."""


def test_a_handful_works(tmp_path: Path) -> None:
    with reference(tmp_path) as cluster:
        results = run(cluster, HANDFUL)
    assert {result.feature for result in results} == set(HANDFUL)
    assert failures(results, {}) == []


@pytest.mark.skipif(not WHOLE, reason=WHOLE_REASON)
@pytest.mark.timeout(900)
def test_the_whole_client(tmp_path: Path) -> None:
    with reference(tmp_path) as cluster:
        results = run(cluster)
    assert sorted(result.feature for result in results) == sorted(names())
    keep(client(), results)
    assert failures(results, {}) == []


@pytest.mark.skipif(not WHOLE or missing("java", "mvn") is not None, reason=WHOLE_REASON)
@pytest.mark.timeout(900)
def test_our_program_finds_all_of_it_in_a_real_broker(tmp_path: Path) -> None:
    with java_cluster("4.9.7", tmp_path / "home", SETTINGS) as real:
        results = run(Cluster(real.namesrv, real.broker))
    assert failures(results, KNOWN_OF_THE_REAL_BROKER) == []


def test_what_the_client_lacks_is_said(tmp_path: Path) -> None:
    with reference(tmp_path) as cluster:
        results = run(cluster, ["query-key"])
    assert [(result.works, result.reason) for result in results] == [(False, NO_SUCH_CALL)]
