"""Servers and clusters of one pytest process: made when first asked for, emptied and kept for the next who asks for the
same, all gone at the end. Nothing here knows pytest.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from mqcheck.embedded.cluster import Nodes, RocketMQCluster, RocketMQServer
from mqcheck.embedded.faults import RocketMQFaults
from mqcheck.embedded.links import Links
from mqcheck.errors import MqcheckError
from mqcheck.guard import Guard

KEPT_MAX: Final = 2
"""Servers and clusters that nobody uses and that are kept, beside the session's own server. Ours."""


class House:
    """What one pytest process has running. Not for several threads."""

    def __init__(self, folder: Path, settings: Mapping[str, object]) -> None:
        """`settings` are those of the session's own server."""
        self._folder = folder
        self._settings = settings
        self._guard: Guard | None = None
        self._own: RocketMQServer | None = None
        self._idle: list[tuple[object, Nodes]] = []
        self._used: dict[Nodes, object] = {}
        self._links: dict[Nodes, Links] = {}
        self._made = 0

    def server(self, settings: Mapping[str, object] | None = None) -> RocketMQServer:
        """An empty server: the session's own, or one with these settings on top. Raises NodeError."""
        if not settings:
            if self._own is None:
                self._own = RocketMQServer(self._new_folder(), self._settings, self._guarding())
            if not self._own.running:
                ended = self._own.nodes["rocketmq_server"].life > 0
                self._own.start()
                if ended:
                    # What an ended life has kept is not the next test's.
                    self._own.empty()
            return self._own
        told = {**self._settings, **settings}
        made = self._taken(("server", _frozen(told)), lambda folder: RocketMQServer(folder, told, self._guarding()))
        assert isinstance(made, RocketMQServer)  # noqa: S101 - it is under this key
        return made

    def cluster(self, **wanted: Any) -> RocketMQCluster:
        """An empty cluster like this (`RocketMQCluster`). Raises SettingsError, NodeError."""
        key = ("cluster", _frozen(wanted))
        made = self._taken(key, lambda folder: RocketMQCluster(folder, self._guarding(), **wanted))
        assert isinstance(made, RocketMQCluster)  # noqa: S101 - it is under this key
        return made

    def faults(self, nodes: Nodes) -> RocketMQFaults:
        """Faults for it; its links stay as long as it does."""
        if nodes not in self._links:
            self._links[nodes] = Links(nodes, self._guarding())
        return RocketMQFaults(nodes, self._links[nodes])

    def give_back(self, nodes: Nodes) -> None:
        """A test has ended: emptied and kept where that can be, closed otherwise. Raises NodeError."""
        key = self._used.pop(nodes, None)
        try:
            if nodes.running:
                keep = nodes is self._own or not getattr(nodes, "slaves", 0)
                if keep:
                    nodes.empty()
                    if key is not None:
                        self._idle.append((key, nodes))
                else:
                    self._close(nodes)
            elif nodes is not self._own:
                self._close(nodes)
        except BaseException:
            self._close(nodes)  # whatever is wrong with it is not the next test's
            raise
        while len(self._idle) > KEPT_MAX:
            self._close(self._idle.pop(0)[1])

    def close(self) -> None:
        """End everything. Idempotent."""
        everything = [*self._used, *(nodes for _, nodes in self._idle)] + ([self._own] if self._own else [])
        self._used, self._idle, self._own = {}, [], None
        for nodes in everything:
            self._close(nodes)
        if self._guard is not None:
            self._guard.close()
            self._guard = None

    def _taken(self, key: object, make: Any) -> Nodes:
        for index, (its, nodes) in enumerate(self._idle):
            if its == key and nodes.running:
                del self._idle[index]
                self._used[nodes] = key
                return nodes
        made: Nodes = make(self._new_folder())
        try:
            made.start()
        except BaseException:
            self._close(made)
            raise
        self._used[made] = key
        return made

    def _close(self, nodes: Nodes) -> None:
        if nodes is self._own:
            nodes.stop()
            return
        links = self._links.pop(nodes, None)
        try:
            if links is not None:
                links.close()
        except MqcheckError:
            pass  # the proxies go with their process; what it was about has ended
        nodes.close()
        shutil.rmtree(nodes.store, ignore_errors=True)

    def _guarding(self) -> Guard:
        if self._guard is None:
            self._guard = Guard()
        return self._guard

    def _new_folder(self) -> Path:
        self._made += 1
        folder = self._folder / str(self._made)
        folder.mkdir()
        return folder


def _frozen(value: object) -> object:
    """Settings as a key: by what the node is told, in text."""
    if isinstance(value, Mapping):
        return tuple(sorted((key, _frozen(each)) for key, each in value.items()))
    return str(value)
