"""Spreads a run over xdist workers: each scenario's items stay together on one worker.

Scenarios wait more than they compute, so a worker gets its whole share at once and runs it concurrently; the shares are
balanced by the scenarios' estimated seconds. There may be fewer shares than workers: then the others get none. Other
tests are handed out file by file, before the shares.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from mqcheck.plan import scenario_of

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController  # type: ignore[import-untyped]

SPLITTING_MODES: Final = ("each", "load", "worksteal")
"""Values of ``--dist`` that could put one scenario's items on two workers."""
LOW_WATER: Final = 2
"""A worker with this many items left gets more: xdist begins an item only when it knows the next one."""


def partition(scenarios: Mapping[str, float], count: int) -> list[list[str]]:
    """Shares of nearly equal estimated seconds: longest scenario first, each to the worker with the least so far."""
    shares: list[list[str]] = [[] for _ in range(count)]
    loads = [0.0] * count
    for name in sorted(scenarios, key=lambda name: (-scenarios[name], name)):
        least = loads.index(min(loads))
        shares[least].append(name)
        loads[least] += scenarios[name]
    return shares


class ScenarioScheduling:
    """xdist's ``Scheduling`` protocol for a suite with scenarios.

    Ordinary tests wait in ``_queue``, a file at a time, and go to whoever runs low. When it is empty, a worker gets
    its share of the scenarios in one go and is told to shut down after it. What a dead worker leaves behind goes to
    its replacement.
    """

    def __init__(
        self,
        config: Any,
        workers: int,
        sharers: int,
        seconds: Mapping[str, float],
        assign: Callable[[str, Sequence[str]], None],
    ) -> None:
        """``sharers``: how many of the ``workers`` get scenarios. ``seconds``: estimates by scenario.

        ``assign(worker id, scenarios)`` is called before a share is sent.
        """
        self.config = config
        self.workers = workers
        self._sharers = sharers
        self.collection: list[str] | None = None
        self._seconds = seconds
        self._assign = assign
        self._collections: dict[WorkerController, list[str]] = {}
        self._pending: dict[WorkerController, list[int]] = {}
        self._queue: deque[list[int]] = deque()
        self._shares: deque[list[int]] = deque()

    @property
    def nodes(self) -> list[WorkerController]:
        """Workers that are up."""
        return list(self._pending)

    @property
    def collection_is_completed(self) -> bool:
        """True when every first worker has told what it collected."""
        return len(self._collections) >= self.workers

    @property
    def tests_finished(self) -> bool:
        """True when nothing waits here and every worker has at most its last item."""
        if not self.collection_is_completed or self._queue or self._shares:
            return False
        return all(len(pending) < LOW_WATER for pending in self._pending.values())

    @property
    def has_pending(self) -> bool:
        """True while items are unfinished."""
        return bool(self._queue or self._shares or any(self._pending.values()))

    def add_node(self, node: WorkerController) -> None:
        """A worker is up. Called by xdist's worker_workerready."""
        self._pending[node] = []

    def add_node_collection(self, node: WorkerController, collection: Sequence[str]) -> None:
        """A worker has collected. Called by xdist's worker_collectionfinish."""
        if self.collection is not None and list(collection) != self.collection:
            self._complain(node, self.collection, list(collection))
            return
        self._collections[node] = list(collection)

    def schedule(self) -> None:
        """Hand out the first work, or work for a replacement. Called by xdist's worker_collectionfinish."""
        if self.collection is None and not self._settle():
            return
        for node in self.nodes:
            self._refill(node)

    def mark_test_complete(self, node: WorkerController, item_index: int, duration: float = 0) -> None:
        """An item is done. Called by xdist's worker_runtest_protocol_complete."""
        self._pending[node].remove(item_index)
        self._refill(node)

    def mark_test_pending(self, item: str) -> None:
        """An item is to run again, because its worker died in it. Called by plugins that rerun."""
        if self.collection is not None:
            self._shares.append([self.collection.index(item)])
            for node in self.nodes:
                self._refill(node)

    def remove_pending_tests_from_node(self, node: WorkerController, indices: Sequence[int]) -> None:
        """Never asked for: nothing is stolen from a worker here."""
        raise NotImplementedError

    def remove_node(self, node: WorkerController) -> str | None:
        """A worker is gone; the item it died in, if any. Called by xdist when it ends or dies."""
        pending = self._pending.pop(node)
        if not pending or self.collection is None:
            return None
        crashed, *rest = pending
        if rest:
            self._shares.append(rest)
        return self.collection[crashed]

    def _settle(self) -> bool:
        first, *others = self._collections.items()
        for node, collection in others:
            if collection != first[1]:
                self._complain(node, first[1], collection)
                return False
        self.collection = first[1]
        units: dict[str, list[int]] = {}
        scenarios: dict[str, list[int]] = {}
        for index, item_id in enumerate(self.collection):
            scenario = scenario_of(item_id)
            if scenario is None:
                units.setdefault(item_id.split("::")[0], []).append(index)
            else:
                scenarios.setdefault(scenario, []).append(index)
        self._queue.extend(units.values())
        shares = partition({name: self._seconds.get(name, 1.0) for name in scenarios}, self._sharers)
        self._shares.extend([index for name in share for index in scenarios[name]] for share in shares if share)
        return True

    def _refill(self, node: WorkerController) -> None:
        if node.shutting_down or self.collection is None or node not in self._collections:
            return
        while self._queue and len(self._pending[node]) <= LOW_WATER:
            self._send(node, self._queue.popleft())
        if self._queue or len(self._pending[node]) > LOW_WATER:
            return
        if self._shares:
            self._send(node, self._shares.popleft())
        if not self._shares:
            node.shutdown()

    def _send(self, node: WorkerController, indices: list[int]) -> None:
        if self.collection is None:
            return
        names = dict.fromkeys(scenario_of(self.collection[index]) for index in indices)
        scenarios = [name for name in names if name is not None]
        if scenarios:
            self._assign(node.gateway.id, scenarios)
        self._pending[node].extend(indices)
        node.send_runtest_some(indices)

    def _complain(self, node: WorkerController, expected: list[str], found: list[str]) -> None:
        import pytest

        differing = sorted(set(expected) ^ set(found))[:5] or ["their order"]
        text = (
            f"worker {node.gateway.id} collected other tests than the first worker; differing: {', '.join(differing)}"
        )
        report = pytest.CollectReport(node.gateway.id, "failed", longrepr=text, result=[])
        self.config.hook.pytest_collectreport(report=report)
