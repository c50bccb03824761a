"""Faults of processes: kill, stop, pause, restart; of nodes and of clients that run in processes of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from mqcheck.errors import FaultError
from mqcheck.faults.base import Fault, Ground


@dataclass(frozen=True, slots=True, eq=False)
class _ProcessFault(Fault):
    """A fault of one process."""

    victim: str
    """Name of a node or client process."""

    @property
    def node(self) -> str:
        """The node it hits."""
        return self.victim

    def _running(self, ground: Ground) -> None:
        if not ground.victim(self.victim).running:
            raise FaultError(f"{self} hits nothing: {self.victim} is not running; start it first")


class Kill(_ProcessFault):
    """Ends a process at once (SIGKILL); the page cache survives. Healed by starting it again.

    Reveals acknowledgements given before the write, and state that was only in memory.
    """

    kind: ClassVar[str] = "kill"
    needs: ClassVar[str] = "kill"

    async def inject(self, ground: Ground) -> Mapping[str, Any]:
        """SIGKILL; effect: processes ended."""
        self._running(ground)
        await ground.victim(self.victim).kill()
        return {"processes_killed": 1}

    async def heal(self, ground: Ground) -> None:
        """Start it again."""
        await ground.victim(self.victim).start()


class Stop(_ProcessFault):
    """Ends a process as an operator does (SIGTERM). Healed by starting it again.

    Reveals what a clean stop forgets to write or to unregister.
    """

    kind: ClassVar[str] = "stop"
    needs: ClassVar[str] = "stop"

    async def inject(self, ground: Ground) -> Mapping[str, Any]:
        """SIGTERM, and wait; effect: processes ended."""
        self._running(ground)
        await ground.victim(self.victim).stop()
        return {"processes_stopped": 1}

    async def heal(self, ground: Ground) -> None:
        """Start it again."""
        await ground.victim(self.victim).start()


class Restart(_ProcessFault):
    """Stops a process cleanly and starts it at once; nothing is left to heal.

    Reveals clients and servers that trust a connection or a cache across a restart.
    """

    kind: ClassVar[str] = "restart"
    needs: ClassVar[str] = "stop"

    async def inject(self, ground: Ground) -> Mapping[str, Any]:
        """SIGTERM, wait, start; effect: processes restarted."""
        self._running(ground)
        await ground.victim(self.victim).stop()
        await ground.victim(self.victim).start()
        return {"processes_restarted": 1}

    async def heal(self, ground: Ground) -> None:
        """It is already back."""


class Pause(_ProcessFault):
    """Freezes a process (SIGSTOP): the kernel still accepts its connections, nobody answers. Healed by SIGCONT.

    Reveals liveness that is believed instead of proved: expiry, lock life, time-outs.
    """

    kind: ClassVar[str] = "pause"
    needs: ClassVar[str] = "pause"

    async def inject(self, ground: Ground) -> Mapping[str, Any]:
        """SIGSTOP, and wait until it stands still; effect: processes paused."""
        self._running(ground)
        await ground.victim(self.victim).pause()
        return {"processes_paused": 1}

    async def heal(self, ground: Ground) -> None:
        """SIGCONT."""
        await ground.victim(self.victim).resume()
