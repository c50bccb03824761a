"""Takes the samples of the socket table that `meter` counts from: on demand, and steadily while some link suffers.

Which links there are is `topology`'s business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from mqcheck.errors import LinkError
from mqcheck.links import sockets
from mqcheck.links.address import as_kernel
from mqcheck.links.base import Counters
from mqcheck.links.meter import Meter, Path
from mqcheck.links.proxies import LinkProxy, own_counts

if TYPE_CHECKING:
    from mqcheck.links.toxiproxy import ToxiproxyServer

READINGS_MAX: Final = 4
"""Readings of the proxies' own counts around a sample (ours): a connection that ends in between is read again."""

SAMPLE_MS: Final = 250
"""How often the sockets are counted while some link suffers (ours): a closed socket keeps its last count."""


class Sampling:
    """Counts of one network's links; one event loop only. Made and closed by `Network`."""

    def __init__(
        self,
        server: ToxiproxyServer,
        proxies: Callable[[], dict[str, list[LinkProxy]]],
        call: Callable[[Callable[[], Any]], Awaitable[Any]],
    ) -> None:
        """`proxies` tells those of every link laid, by link; `call` runs what blocks in a thread."""
        self._toxiproxy = server
        self._proxies = proxies
        self._call = call
        self._meter = Meter()
        self._measuring = asyncio.Lock()
        self._steady: asyncio.Task[None] | None = None

    async def counts(self, names: Collection[str]) -> dict[str, Counters]:
        """What these links have passed; zeros where the system cannot tell."""
        laid = self._proxies()
        proxies = {name: laid.get(name, []) for name in names}
        before = None
        for _ in range(READINGS_MAX):
            own = await self._call(partial(own_counts, proxies))
            if own == before:
                break
            before = own
            if not names or not await self.sample():
                return {name: Counters() for name in names}
        return {name: self._meter.counters(name, *own[name]) for name in names}

    async def connections(self, names: Collection[str]) -> dict[str, int]:
        """Connections that are open now on these links."""
        known = await self.sample()
        return {name: self._meter.connections(name) if known else 0 for name in names}

    async def sample(self) -> bool:
        """Count the proxies' sockets; False where the system cannot tell."""
        async with self._measuring:
            paths = [
                Path(name, proxy.listen, as_kernel(proxy.upstream), proxy.lane.pid)
                for name, proxies in self._proxies().items()
                for proxy in proxies
            ]
            try:
                local, remote = (ports(path.listen for path in paths), ports(path.upstream for path in paths))
                table = await self._call(partial(sockets.table, local, remote))
            except LinkError:
                return False
            owners = None
            if self._meter.unknown(table, paths):
                owners = await self._call(partial(sockets.owned, self._toxiproxy.pids))
            self._meter.sample(table, paths, owners)
            return True

    def start(self) -> None:
        """Sample steadily from now on; idempotent."""
        if self._steady is None:
            self._steady = asyncio.get_running_loop().create_task(self._keep_sampling())

    def stop(self) -> None:
        """Sample on demand only; idempotent."""
        if self._steady is not None:
            self._steady.cancel()
            self._steady = None

    async def close(self) -> None:
        """Stop, and wait for a sample that is being taken."""
        steady = self._steady
        self.stop()
        if steady is not None:
            await asyncio.gather(steady, return_exceptions=True)

    async def _keep_sampling(self) -> None:
        while True:
            if not await self.sample():
                return
            await asyncio.sleep(SAMPLE_MS / 1000)


def ports(addresses: Iterable[str]) -> set[int]:
    """The ports of these addresses."""
    return {int(address.rpartition(":")[2]) for address in addresses}
