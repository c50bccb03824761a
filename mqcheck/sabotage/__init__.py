"""Bugs planted in the kit's own client, each of which breaks one of the client's promises.

``--mqcheck-sabotage NAME`` plants one, as it plants one in the reference; the target is then as it is. One file per
area: ``consumers``, ``producers``; ``base`` holds what a bug is. The client knows nothing of them but its seam.
"""

from __future__ import annotations

from typing import Final

from mqcheck.rocketmq.seam import Seam
from mqcheck.sabotage import consumers, producers
from mqcheck.sabotage.base import ClientSabotage

CLIENT_SABOTAGES: Final[dict[str, ClientSabotage]] = {
    sabotage.name: sabotage for area in (consumers, producers) for sabotage in area.SABOTAGES
}
"""Every bug that can be planted in the kit's own client, by name."""


def seam_of(name: str | None) -> Seam:
    """The seam of one client: of the bug of that name, or one that changes nothing where it is no client's."""
    sabotage = CLIENT_SABOTAGES.get(name or "")
    return Seam() if sabotage is None else sabotage.seam()


__all__ = ["CLIENT_SABOTAGES", "ClientSabotage", "seam_of"]
