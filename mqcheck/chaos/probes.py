"""Probes of an experiment: figures of the recorded history and of the cluster. Chaos Toolkit calls them by name.

Figures are about the last moments before they are asked for (``window_ms``). None of them changes anything.
"""

from __future__ import annotations

import time

from mqcheck.chaos.current import current
from mqcheck.chaos.live import Operation
from mqcheck.chaos.waiting import PERCENTILE, WINDOW_MS, figure_of
from mqcheck.chaos.work import CONSUMERS, LOAD
from mqcheck.judge.verdicts import NOT_EXERCISED, VIOLATED


def success_rate(operation: Operation = "send", window_ms: int = WINDOW_MS) -> float:
    """Share of the operations that ended well among those that ended in the window, 0 to 1; 0 where none ended.

    A send call under way for longer than the window counts as one that did not end well.
    """
    figure = figure_of(operation, window_ms)
    with current().follower.look() as seen:
        return seen.success_rate(figure.operation, figure.window_ms, time.monotonic_ns())


def latency_ms(operation: Operation = "send", percentile: float = PERCENTILE, window_ms: int = WINDOW_MS) -> float:
    """A percentile of how long operations took; `deliver` from the send call to the consumer. At least the window
    where none ended well in it."""
    figure = figure_of(operation, window_ms, percentile)
    with current().follower.look() as seen:
        return seen.latency_ms(figure.operation, figure.percentile, figure.window_ms, time.monotonic_ns())


def per_second(operation: Operation = "send", window_ms: int = WINDOW_MS) -> float:
    """Operations per second that ended well."""
    figure = figure_of(operation, window_ms)
    with current().follower.look() as seen:
        return seen.per_second(figure.operation, figure.window_ms, time.monotonic_ns())


def consumer_lag(group: str = CONSUMERS.group) -> int:
    """Messages that were acknowledged and that the group has not done yet."""
    here = current()

    async def missing() -> int:
        return here.stand.group(group).missing()

    return here.bridge.call(missing())


def acknowledged() -> int:
    """Messages acknowledged since the beginning."""
    here = current()

    async def count() -> int:
        return here.stand.traffic.ledger.acknowledged

    return here.bridge.call(count())


def routes(topic: str = LOAD.topic) -> int:
    """How many NameServers list the topic on every master that runs."""
    here = current()

    async def listing() -> int:
        world = here.stand.world
        masters = {node.broker for node in world.cluster.brokers() if node.broker_id == 0 and node.running}
        admin, count = await world.admin(), 0
        for nameserver in world.cluster.nameservers():
            answer = await admin.route(nameserver.name, topic, timeout_ms=1_000)
            count += answer.route is not None and masters <= {part.broker for part in answer.route.brokers}
        return count

    return here.bridge.call(listing())


def running(node: str) -> bool:
    """Whether a node runs; one that is paused does."""
    here = current()

    async def runs() -> bool:
        return here.stand.world.ground.victim(node).running

    return here.bridge.call(runs())


def active_faults() -> list[str]:
    """Names of what is injected and not healed."""
    return list(current().stand.active)


def guarantee_verdict(guarantee: str) -> str:
    """The judge's word on the history so far: held, violated, inconclusive, not exercised or not applicable.

    What needs the final reading is decided at the end of the experiment, which aims at every guarantee it asks for.
    """
    found = current().verdicts([guarantee])
    return found[0].verdict if found else NOT_EXERCISED


def guarantee_held(guarantee: str) -> bool:
    """Whether the history so far shows no violation of the guarantee; the last word is the end's, as above."""
    return guarantee_verdict(guarantee) != VIOLATED
