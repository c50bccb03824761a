"""Official Java clients against the reference; and against a real broker, which shows that our program is right."""

from __future__ import annotations

from pathlib import Path

import pytest
from clients import SETTINGS, WHOLE, WHOLE_REASON, Cluster, failures, keep, reference
from java_broker import java_cluster, missing
from java_client import names, run

pytestmark = [
    pytest.mark.interop,
    pytest.mark.slow,
    pytest.mark.skipif(missing("java", "javac", "mvn") is not None, reason=str(missing("java", "javac", "mvn"))),
]
HANDFUL = ("send-sync", "consume-concurrent", "consume-retry", "transaction-check", "request-reply", "admin-topic")
KNOWN: dict[str, dict[str, str]] = {"java-4.9.7": {}, "java-4.9.7-binary": {}, "java-5.4.0": {}}
"""Client and feature → why it does not work."""
KNOWN_OF_THE_REAL_BROKER: dict[str, str] = {}
"""Feature → why it does not work with a real broker of 4.9.7 either."""


def test_a_handful_works(tmp_path: Path) -> None:
    with reference(tmp_path) as cluster:
        results = run("4.9.7", cluster, tmp_path, HANDFUL)
    assert {result.feature for result in results} == set(HANDFUL)
    assert failures(results, {}) == []


@pytest.mark.skipif(not WHOLE, reason=WHOLE_REASON)
@pytest.mark.parametrize(("version", "binary"), [("4.9.7", False), ("4.9.7", True), ("5.4.0", False)])
@pytest.mark.timeout(900)
def test_the_whole_client(tmp_path: Path, version: str, binary: bool) -> None:
    with reference(tmp_path) as cluster:
        results = run(version, cluster, tmp_path, binary=binary)
    assert sorted(result.feature for result in results) == sorted(names(version))
    client = results[0].client
    keep(client, results)
    assert failures(results, KNOWN[client]) == []


@pytest.mark.skipif(not WHOLE, reason=WHOLE_REASON)
@pytest.mark.timeout(900)
def test_our_program_finds_all_of_it_in_a_real_broker(tmp_path: Path) -> None:
    with java_cluster("4.9.7", tmp_path / "home", SETTINGS) as real:
        results = run("4.9.7", Cluster(real.namesrv, real.broker), tmp_path)
    assert failures(results, KNOWN_OF_THE_REAL_BROKER) == []
