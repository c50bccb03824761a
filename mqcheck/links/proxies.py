"""One Toxiproxy proxy of a link: where it listens and leads, and what is wrong with it on purpose. Blocking.

Which proxies make up a link is `topology`'s business.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from dataclasses import replace

from mqcheck.errors import LinkError
from mqcheck.links import ports
from mqcheck.links.disturbance import Disturbance
from mqcheck.links.meter import BYTES
from mqcheck.links.toxiproxy import ProxyState, Toxic, ToxiproxyServer


class LinkProxy:
    """A proxy on one server (lane). Thread-safe; changes to one proxy wait for each other."""

    def __init__(self, lane: ToxiproxyServer, name: str, port: int, upstream: str) -> None:
        self.lane = lane
        self.name = name
        self._wanted = ProxyState(name, f"{ports.HOST}:{port}", upstream, True, ())
        self._disturbances: dict[str, Disturbance] = {}
        self._holder: socket.socket | None = None
        self._lock = threading.Lock()
        self._accepted_earlier = 0
        self._touched = False

    @property
    def listen(self) -> str:
        """Where peers connect."""
        return self._wanted.listen

    @property
    def upstream(self) -> str:
        """Where it leads."""
        return self._wanted.upstream

    def lay(self) -> None:
        """Make it. Raises PortTakenError when its port has gone meanwhile."""
        self._accepted_earlier = self.lane.accepted(self.name)
        self.lane.create_proxy(self.name, self.listen, self.upstream)

    def accepted(self) -> int:
        """Connections accepted since it was laid."""
        return self.lane.accepted(self.name) - self._accepted_earlier

    def lead_to(self, upstream: str) -> None:
        """The server has moved: same listener, other target."""
        with self._lock:
            if upstream != self.upstream:
                self.lane.set_upstream(self.name, upstream)
                self._wanted = replace(self._wanted, upstream=upstream)

    def disturb(self, disturbance: Disturbance) -> None:
        """Put it on, or in the place of an earlier one of the same verb."""
        with self._lock:
            there = {toxic.name: toxic for toxic in self._wanted.toxics}
            self._touched = True
            self._disturbances[disturbance.verb] = disturbance
            self._wanted = self._state()
            for toxic in disturbance.toxics:
                if toxic.name not in there:
                    self.lane.add_toxic(self.name, toxic)
                elif there[toxic.name] != toxic:
                    self.lane.update_toxic(self.name, toxic)
            if there.keys() - {toxic.name for toxic in self._wanted.toxics}:
                self.lane.settle(self._wanted)
            if disturbance.down:
                self.lane.set_enabled(self.name, False)
                self._hold_port()

    def heal(self, only: str | None = None) -> bool:
        """Take everything off (with `only`: that verb) and verify. False if its connections had to be closed for it.

        A proxy that nothing was ever put on since it was last clean is left alone. Raises LinkError when it is not
        clean afterwards.
        """
        with self._lock:
            if not self._touched:
                return True
            for verb in [verb for verb in self._disturbances if only in (None, verb)]:
                del self._disturbances[verb]
            self._wanted = self._state()
            kept = self.lane.settle(self._wanted)
            if self._wanted.enabled:
                self._give_port_back()
            self._touched = bool(self._disturbances)
            return kept

    def remove(self) -> None:
        """Close it with its connections."""
        with self._lock:
            try:
                self.lane.delete_proxy(self.name)
            except LinkError:
                if self.lane.running:
                    raise
            finally:
                self._give_port_back()

    def _state(self) -> ProxyState:
        toxics: tuple[Toxic, ...] = ()
        for disturbance in self._disturbances.values():
            toxics += disturbance.toxics
        enabled = not any(disturbance.down for disturbance in self._disturbances.values())
        return replace(self._wanted, toxics=toxics, enabled=enabled)

    def _hold_port(self) -> None:
        if self._holder is None:
            self._holder = ports.reserve(int(self.listen.rpartition(":")[2]))

    def _give_port_back(self) -> None:
        if self._holder is not None:
            self._holder.close()
            self._holder = None


def own_counts(proxies: Mapping[str, list[LinkProxy]]) -> dict[str, tuple[int, dict[str, int]]]:
    """What the proxies of each link say themselves: connections accepted, and bytes of ended ones. Blocking."""
    lanes = {proxy.lane for each in proxies.values() for proxy in each}
    metrics = {lane: lane.metrics() for lane in lanes}
    counts = {}
    for name, each in proxies.items():
        ended = dict.fromkeys(BYTES, 0)
        for proxy in each:
            for key, passed in metrics[proxy.lane].get(proxy.name, {}).items():
                ended[key] += passed
        counts[name] = (sum(proxy.accepted() for proxy in each), ended)
    return counts
