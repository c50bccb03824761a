"""A reference cluster that a test runs itself, as somebody else would: processes of their own, found by address."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mqcheck.errors import SettingsError
from mqcheck.targets.survey import Survey, survey

ROOT = Path(__file__).parents[3]
READY_SECONDS_MAX = 60.0
POLL_SECONDS = 0.05

QUICK = {
    "reference.brokerExpiryMs": 5_000,
    "reference.brokerScanMs": 500,
    "reference.registerPeriodMs": 1_000,
    "reference.clientExpiryMs": 4_500,
    "reference.clientScanMs": 500,
    "reference.holdScanMs": 500,
    "reference.delayScanMs": 50,
    "flushConsumerOffsetInterval": 500,
    "messageDelayLevel": "200ms 500ms 700ms 1s 1500ms 2s",
}
"""As quick as mqcheck's profile, so that a test need not wait for RocketMQ's own times."""


@dataclass(frozen=True)
class Running:
    """Its NameServer, and its nodes' process ids."""

    address: str
    pids: tuple[int, ...]

    def look(self) -> Survey:
        """What it says of itself."""
        return asyncio.run(survey([self.address]))


@contextmanager
def process(
    role: str, *options: str, environment: Mapping[str, str] | None = None, **properties: object
) -> Iterator[tuple[int, dict[str, Any]]]:
    """One node; its process id and ready line."""
    words = [sys.executable, "-m", "reference_impl", role, *options]
    for key, value in properties.items():
        words += ["-p", f"{key}={value}"]
    with subprocess.Popen(
        words, cwd=ROOT, stdout=subprocess.PIPE, start_new_session=True, env={**os.environ, **(environment or {})}
    ) as node:
        try:
            assert node.stdout is not None
            yield node.pid, json.loads(node.stdout.readline())
        finally:
            node.kill()


@contextmanager
def running_cluster(
    folder: Path, brokers: Sequence[str], *options: str, environment: Mapping[str, str] | None = None
) -> Iterator[Running]:
    """A NameServer and these brokers, all registered; `environment` is added to the brokers'."""
    with ExitStack() as stack:
        pid, told = stack.enter_context(process("namesrv", *options, listenPort=0, **_of("namesrv")))
        address, pids = told["address"], [pid]
        for name in brokers:
            own = {"brokerName": name, "namesrvAddr": address, "storePathRootDir": folder / name}
            node, _ = stack.enter_context(
                process("broker", *options, environment=environment, listenPort=0, **_of("broker"), **own)
            )
            pids.append(node)
        if brokers:
            asyncio.run(_registered(address, len(brokers)))
        yield Running(address, tuple(pids))


def _of(role: str) -> dict[str, object]:
    return {key: value for key, value in QUICK.items() if (".broker" in key) == (role == "namesrv")}


async def _registered(address: str, count: int) -> None:
    async with asyncio.timeout(READY_SECONDS_MAX):
        while True:
            try:
                if len((await survey([address])).masters) == count:
                    return
            except SettingsError:
                pass  # nobody has registered yet
            await asyncio.sleep(POLL_SECONDS)
