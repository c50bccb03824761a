"""The official Go client against the reference; and against a real broker, which shows that our program is right."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from clients import (
    FEATURES,
    NO_SUCH_CALL,
    SETTINGS,
    WHOLE,
    WHOLE_REASON,
    Cluster,
    explained,
    failures,
    keep,
    reference,
)
from go_client import client, names, run
from java_broker import java_cluster, missing

pytestmark = [
    pytest.mark.interop,
    pytest.mark.slow,
    pytest.mark.skipif(missing("go") is not None, reason=str(missing("go"))),
]
SOON: dict[str, object] = {"transactionCheckInterval": 1000, "transactionTimeOut": 500}
"""Properties of the broker for a handful: it asks about a transaction sooner."""
HANDFUL = ("send-sync", "consume-tags", "consume-retry", "transaction-check", "request-reply")
OF_THE_CLIENT = {
    "consume-retry-tail": "the client does not look at the AckIndex that a listener may set",
    "consume-sql92-refused": "the client does not ask the broker whether it takes an expression",
}
"""Feature → why it does not work, with Apache RocketMQ 4.9.7 either."""
KNOWN = OF_THE_CLIENT | {"tls": "TLS is not built yet"}
"""Feature → why it does not work."""


def test_a_handful_works(tmp_path: Path) -> None:
    with reference(tmp_path, {**SETTINGS, **SOON}) as cluster:
        results = run(cluster, HANDFUL)
    assert {result.feature for result in results} == set(HANDFUL)
    assert failures(results, {}) == []


@pytest.mark.skipif(not WHOLE, reason=WHOLE_REASON)
@pytest.mark.timeout(900)
def test_the_whole_client(tmp_path: Path) -> None:
    with reference(tmp_path) as cluster:
        results = run(cluster)
    assert sorted(result.feature for result in results) == sorted(names()) == sorted(FEATURES)
    keep(client(), explained(results, KNOWN))
    assert failures(results, KNOWN) == []


@pytest.mark.skipif(not WHOLE or missing("java", "mvn") is not None, reason=WHOLE_REASON)
@pytest.mark.timeout(900)
def test_our_program_finds_all_of_it_in_a_real_broker(tmp_path: Path) -> None:
    with java_cluster("4.9.7", tmp_path / "home", SETTINGS) as real:
        results = run(Cluster(real.namesrv, real.broker))
    told = explained(results, OF_THE_CLIENT)
    keep(f"{client()}@apache-4.9.7", [replace(result, client=f"{client()}@apache-4.9.7") for result in told])
    assert failures(results, OF_THE_CLIENT) == []


def test_what_the_client_lacks_is_said() -> None:
    results = run(Cluster("", ""), ["query-key"])
    assert [(result.works, result.reason) for result in results] == [(False, NO_SUCH_CALL)]
