"""Topics and groups that mqcheck has made in somebody else's cluster: their names, and how they are taken away again.

A name says which run made it, so that two runs, and a user's own topics, never meet.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from mqcheck.errors import NodeError
from mqcheck.rocketmq.codes import RequestCode
from mqcheck.rocketmq.frame import loads_loose
from mqcheck.rocketmq.names import without_kind
from mqcheck.targets.ready import ask
from mqcheck.targets.survey import Survey

GET_ALL_SUBSCRIPTIONGROUP_CONFIG: Final = 201
GET_ALL_TOPIC_LIST_FROM_NAMESERVER: Final = 206
DELETE_SUBSCRIPTIONGROUP: Final = 207
DELETE_TOPIC_IN_BROKER: Final = 215
DELETE_TOPIC_IN_NAMESRV: Final = 216

ASK_SECONDS_MAX: Final = 5.0
"""How long one answer may take; ours."""

CLEAN_SECONDS_MAX: Final = 30.0
"""How long taking everything away may take, until nothing comes back; ours."""

PAUSE_SECONDS: Final = 0.2
"""Between two looks; ours."""

_OURS: Final = re.compile(r"mqcheck_\d{8}-\d{6}-[0-9a-f]{4}_")


def prefix_of(run: str, scenario: str) -> str:
    """What the names of a scenario's topics and groups begin with; `scenario` is its history's folder."""
    return f"mqcheck_{run}_{re.sub('[^A-Za-z0-9-]', '-', scenario)}_"


def of_any_run(name: str) -> bool:
    """Whether a topic or group was made by some run of mqcheck."""
    return _OURS.match(without_kind(name)) is not None


async def clean(cluster: Survey, ours: Callable[[str], bool]) -> frozenset[str]:
    """Delete what is `ours` on every master and NameServer, and look until it stays away; what was there.

    Retry and dead letter topics go with their groups. Raises NodeError that names what cannot be deleted.
    """
    seen: set[str] = set()
    deadline = asyncio.get_running_loop().time() + CLEAN_SECONDS_MAX
    while left := await _pass(cluster, ours):
        seen |= left
        if asyncio.get_running_loop().time() > deadline:
            names = ";".join(node.address for node in cluster.nameservers)
            raise NodeError(
                f"{len(left)} topics and groups of mqcheck are still in the cluster, such as {min(left)}: remove them "
                f"with mqcheck external clean {names!r}"
            )
        await asyncio.sleep(PAUSE_SECONDS)
    return frozenset(seen)


async def _pass(cluster: Survey, ours: Callable[[str], bool]) -> set[str]:
    """Delete what is there; what it was."""
    found: set[str] = set()
    for master in cluster.masters:
        groups = set(filter(ours, await _names(master.address, GET_ALL_SUBSCRIPTIONGROUP_CONFIG)))
        topics = set(filter(ours, await _names(master.address, RequestCode.GET_ALL_TOPIC_CONFIG)))
        for group in sorted(groups):
            # 4.x and 5.x have another name each for the same.
            fields = {"groupName": group, "removeOffset": "true", "cleanOffset": "true"}
            await _do(master.address, DELETE_SUBSCRIPTIONGROUP, fields)
        for topic in sorted(topics):
            await _do(master.address, DELETE_TOPIC_IN_BROKER, {"topic": topic})
        found |= groups | topics
    for nameserver in cluster.nameservers:
        topics = set(filter(ours, await _names(nameserver.address, GET_ALL_TOPIC_LIST_FROM_NAMESERVER)))
        for topic in sorted(topics):
            await _do(nameserver.address, DELETE_TOPIC_IN_NAMESRV, {"topic": topic})
        found |= topics
    return found


async def _do(address: str, code: int, fields: Mapping[str, str]) -> None:
    """One deletion; whether it took effect is seen by the next look."""
    await ask(address, code, ASK_SECONDS_MAX, fields)


async def _names(address: str, code: int) -> Iterable[str]:
    """Topics or groups that a node has."""
    answer = await ask(address, code, ASK_SECONDS_MAX, {})
    if answer is None or answer.code != 0:
        said = "was not answered" if answer is None else f"was answered {answer.code}"
        raise NodeError(f"{address} does not say what it has: request {code} {said}, and not 0")
    read: Any = loads_loose(answer.body) if answer.body else {}
    for key in ("topicList", "topicConfigTable", "subscriptionGroupTable"):
        if key in read:
            return list(read[key])
    return []
