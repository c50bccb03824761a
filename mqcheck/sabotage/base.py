"""What a planted bug of the kit's own client is: a name, the guarantee that must catch it, and a seam.

Must not contain any bug.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mqcheck.rocketmq.seam import Seam


@dataclass(frozen=True, slots=True)
class ClientSabotage:
    """One planted bug; every client of a run gets a seam of its own."""

    name: str
    """As given to ``--mqcheck-sabotage``."""
    summary: str
    """What it does, in one line."""
    guarantee: str
    """Id of the guarantee that must be violated."""
    seam: Callable[[], Seam]
