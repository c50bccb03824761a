"""What the lanes of all official clients share: a reference to talk to, and where results go.

A client's program is given addresses and names of features, and prints one JSON line for each feature. The results of a
whole lane are kept in ``.cache/interop/<client>.jsonl``, of which ``table.py`` makes ``docs/interop.md``.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache" / "interop"
WHOLE = os.environ.get("MQCHECK_INTEROP") == "all"
"""Whether every feature is tried, as ``tox -e interop`` does, or a handful."""
_FEATURES = """
acl-signature admin-broker-config admin-broker-stats admin-clone-offset admin-cluster admin-connections
admin-consume-directly admin-consume-queue admin-consume-stats admin-group admin-group-disabled admin-key-values
admin-message-track admin-nameserver-config admin-reset-offset admin-running-info admin-topic admin-topic-config
admin-topic-permission admin-topic-stats admin-update-offset admin-who-consumes admin-write-permission
consume-batches consume-broadcast consume-concurrent consume-dead-letter consume-dead-letter-at-once consume-delay
consume-from-last consume-from-timestamp consume-orderly consume-orderly-dead-letter consume-orderly-rebalance
consume-orderly-suspend consume-pop consume-rebalance consume-resume consume-retry consume-retry-level
consume-retry-tail consume-sql92 consume-sql92-refused consume-suspend consume-tags consume-two-topics heartbeat-v2
namespace namespace-v2 offsets pull pull-filtered pull-held pull-lite-assign pull-lite-seek pull-lite-subscribe
pull-schedule pull-send-back query-id query-key query-unique-key request-reply request-reply-async request-timeout
send-async send-auto-batch send-batch send-big send-compressed send-compressed-lz4 send-compressed-zstd
send-delay-ms send-oneway send-queue send-recall send-selector send-sync send-too-big send-unicode tls trace
trace-consume transaction-check transaction-check-rollback transaction-commit transaction-rollback
transaction-unknown vip-channel
"""
FEATURES = tuple(_FEATURES.split())
"""Of each of these every lane says whether its client does it, or why not."""
WRAPPER_LACKS = "PyPI's rocketmq has no such call"
NO_SUCH_CALL = "the client has no such call"
"""Reason of a feature that other clients have; no failure."""
WHOLE_REASON = "a whole lane: tox -e interop, or MQCHECK_INTEROP=all"
SETTINGS: Mapping[str, object] = {
    "messageDelayLevel": "1s 1s 1s 1s 1s 2s 2s 2s 2s 2s 2s 2s 2s 2s 2s 2s 2s 2s",
    "transactionCheckInterval": 3000,
    "transactionTimeOut": 1000,
    "enablePropertyFilter": "true",
    "traceTopicEnable": "true",
    "waitTimeMillsInSendQueue": 10_000,
}
"""Properties of the broker: short waits, what is off by default, and patience with a busy machine.

A real broker takes the same.
"""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where a NameServer and a broker are."""

    namesrv: str
    broker: str


@dataclass(frozen=True, slots=True)
class Result:
    """How one feature of one client went."""

    client: str
    feature: str
    works: bool
    reason: str = ""
    """Why not; empty when it works."""


@contextmanager
def reference(folder: Path, properties: Mapping[str, object] = SETTINGS) -> Iterator[Cluster]:
    """Run the reference, NameServer and broker in one process, on free ports."""
    settings = {"namesrv.listenPort": 0, "broker.listenPort": 0, "storePathRootDir": folder / "store", **properties}
    command = [sys.executable, "-m", "reference_impl", "all"]
    for key, value in settings.items():
        command += ["-p", f"{key}={value}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline())
            yield Cluster(ready["namesrv"]["address"], ready["broker"]["address"])
            assert process.poll() is None, "the reference has ended by itself"
        finally:
            process.terminate()
            process.wait(20)


@contextmanager
def alone(name: str) -> Iterator[Path]:
    """A folder of the cache that one process at a time may fill."""
    folder = CACHE / name
    folder.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def results_of(client: str, lines: str) -> list[Result]:
    """Read what a client's program printed; lines that are no JSON are its libraries' chatter."""
    found: list[Result] = []
    for line in lines.splitlines():
        if line.startswith('{"feature"'):
            row: dict[str, Any] = json.loads(line)
            found.append(Result(client, row["feature"], row["works"], row["reason"]))
    return found


def keep(client: str, results: Sequence[Result]) -> None:
    """Keep the results of a whole lane."""
    CACHE.mkdir(parents=True, exist_ok=True)
    rows = sorted(results, key=lambda result: result.feature)
    (CACHE / f"{client}.jsonl").write_text("".join(json.dumps(asdict(row)) + "\n" for row in rows), encoding="utf-8")


def explained(results: Sequence[Result], known: Mapping[str, str]) -> list[Result]:
    """The results, with the reason we know in place of what the client's program saw."""
    return [
        replace(result, reason=known[result.feature]) if result.feature in known and not result.works else result
        for result in results
    ]


def failures(results: Sequence[Result], known: Mapping[str, str]) -> list[str]:
    """What does not work and is not known not to; and what is known not to work, but does."""
    told = []
    for result in results:
        if not result.works and result.feature not in known and result.reason not in (NO_SUCH_CALL, WRAPPER_LACKS):
            told.append(f"{result.client} {result.feature}: {result.reason}")
        if result.works and result.feature in known:
            told.append(f"{result.client} {result.feature} works: take it off the list of what does not")
    return told
