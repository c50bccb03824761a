"""Official Java clients against the reference; and against a real broker, which shows that our program is right."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from clients import FEATURES, SETTINGS, WHOLE, WHOLE_REASON, Cluster, explained, failures, keep, reference
from java_broker import java_cluster, missing
from java_client import names, run

pytestmark = [
    pytest.mark.interop,
    pytest.mark.slow,
    pytest.mark.skipif(missing("java", "javac", "mvn") is not None, reason=str(missing("java", "javac", "mvn"))),
]
HANDFUL = (
    "send-sync",
    "consume-concurrent",
    "consume-dead-letter",
    "transaction-check",
    "request-reply",
    "admin-topic",
)
NO_TLS = {"tls": "TLS is not built yet"}
NEWER = {
    "consume-pop": "POP is not offered, nor is it by Apache RocketMQ 4.9.7",
    "send-delay-ms": "messages wait for a delay level, not for a time, as with Apache RocketMQ 4.9.7",
    "send-recall": "no handle to recall a message with, nor is there one with Apache RocketMQ 4.9.7",
    "trace-consume": "the client does not trace consumption with Apache RocketMQ 4.9.7 either",
}
KNOWN = {"java-4.9.7": NO_TLS, "java-4.9.7-binary": NO_TLS, "java-5.4.0": NO_TLS | NEWER}
"""Client and feature → why it does not work."""
NO_351 = "Apache RocketMQ 4.9.7 does not know code 351"
NO_361 = "Apache RocketMQ 4.9.7 does not know code 361"
KNOWN_OF_THE_REAL_BROKER: dict[str, dict[str, str]] = {
    "4.9.7": {},
    "5.4.0": NEWER
    | dict.fromkeys(
        ("admin-topic-stats", "admin-consume-stats", "admin-clone-offset", "admin-topic-config", "admin-message-track"),
        NO_351,
    )
    | dict.fromkeys(("pull-lite-subscribe", "pull-lite-assign", "pull-lite-seek"), NO_361),
}
"""Version of the client and feature → why it does not work with a real broker of 4.9.7 either."""


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
    assert sorted(result.feature for result in results) == sorted(names(version)) == sorted(FEATURES)
    client = results[0].client
    keep(client, explained(results, KNOWN[client]))
    assert failures(results, KNOWN[client]) == []


@pytest.mark.skipif(not WHOLE, reason=WHOLE_REASON)
@pytest.mark.parametrize("version", ["4.9.7", "5.4.0"])
@pytest.mark.timeout(900)
def test_our_program_is_right_about_a_real_broker(tmp_path: Path, version: str) -> None:
    known = KNOWN_OF_THE_REAL_BROKER[version]
    with java_cluster("4.9.7", tmp_path / "home", SETTINGS) as real:
        results = run(version, Cluster(real.namesrv, real.broker), tmp_path)
    client = f"java-{version}@apache-4.9.7"
    keep(client, [replace(result, client=client) for result in explained(results, known)])
    assert failures(results, known) == []
