"""Links between an application and the nodes it talks to: real Toxiproxy, in the kit's own network, for blocking tests.

Needs `mqcheck[kit]`. The network lives on a loop in a thread of its own; what can be done to a link is
`mqcheck.faults`'.
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Coroutine, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from mqcheck.errors import LinkError, MissingToolError

if TYPE_CHECKING:
    from mqcheck.embedded.cluster import Nodes
    from mqcheck.faults.base import Ground
    from mqcheck.faults.link import LinkFault
    from mqcheck.guard import Guard
    from mqcheck.links.topology import Network
    from mqcheck.links.toxiproxy import ToxiproxyServer

T = TypeVar("T")

CALL_SECONDS_MAX: Final = 30.0
"""How long one deed of the network may take; milliseconds are usual. Ours."""


class Links:
    """The links to the nodes of one cluster or server; laid when first asked for. One thread at a time calls it."""

    def __init__(self, nodes: Nodes, guard: Guard) -> None:
        self._nodes = nodes
        self._guard = guard
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._server: ToxiproxyServer | None = None
        self._network: Network | None = None

    @property
    def laid(self) -> bool:
        """Whether anybody has asked for an address."""
        return self._network is not None and bool(self._network.links())

    def nameserver_address(self, peer: str) -> str:
        """What a client called `peer` is to be given, so that all it says goes through links of its own.

        Raises MissingToolError without the kit, LinkError.
        """
        if self._network is None:
            self._open()
        return ";".join(self._run(cast("Network", self._network).nameserver_addresses(peer)))

    def inject(self, fault: LinkFault) -> None:
        """Hurt the links that match; LinkError that says how to lay them where there are none."""
        if not self.laid:
            raise LinkError(
                f"{fault} hits nothing: no client goes through a link. Give your application "
                f"rocketmq_faults.linked_address() in place of the server's own"
            )
        self._run(fault.inject(self._ground()))

    def heal(self, fault: LinkFault) -> Mapping[str, Any]:
        """Mend them; the effect."""
        return self._run(fault.heal(self._ground()))

    def close(self) -> None:
        """Take all links away, and what they were made of. Idempotent."""
        network, self._network = self._network, None
        try:
            if network is not None:
                self._run(network.close())
        finally:
            if self._server is not None:
                self._server.stop()
                self._server = None
            if self._loop is not None and self._thread is not None:
                self._loop.call_soon_threadsafe(self._loop.stop)
                self._thread.join()
                self._loop.close()
                self._loop = self._thread = None

    def _open(self) -> None:
        if find_spec("toxiproxy") is None:
            raise MissingToolError('faults of links need Toxiproxy and its client: pip install "mqcheck[kit]"')
        from mqcheck.links.topology import Network
        from mqcheck.links.toxiproxy import ToxiproxyServer

        self._server = ToxiproxyServer.start(on_start=self._guard.process)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="mqcheck-links", daemon=True)
        self._thread.start()
        self._network = Network(None, self._server, prefix="application")
        self._network.share_servers()
        self._run(self._add_nodes(self._network))

    async def _add_nodes(self, network: Network) -> None:
        for number, address in enumerate(self._nodes.nameserver_address.split(";"), 1):
            await network.add_nameserver(f"nameserver-{number}", address)
        for name, place in self._nodes.broker_places().items():
            await network.add_broker(name, *place)

    def _ground(self) -> Ground:
        """Faults of links look at nothing but the network."""
        from mqcheck.clock import RealClock
        from mqcheck.faults.base import Ground

        nothing: Any = None
        return Ground(cast("Network", self._network), nothing, nothing, RealClock(), random.Random())  # noqa: S311

    def _run(self, deed: Coroutine[Any, Any, T]) -> T:
        if self._loop is None:
            deed.close()
            raise LinkError("the links are closed already")
        return asyncio.run_coroutine_threadsafe(deed, self._loop).result(CALL_SECONDS_MAX)
