"""Planted bugs, each of which breaks one promise, and legal oddities, none of which breaks any.

A start with ``--sabotage NAME`` or ``--odd NAME`` puts one wrapper round a seam (disk, store or core). The broker
itself knows nothing of it. A kit that misses a planted bug, or accuses an oddity, is wrong. One file per area:
``storage``, ``reading``, ``filtering``, ``lookups``, ``pulling``, ``replica``, ``slaves``, ``disks``, ``consumption``,
``groups``, ``order``, ``delay``, ``transactions``, ``protocol``, ``frames``, ``answers``, ``administration``,
``routing``, and of oddities alone ``odd_answers`` and ``odd_ways``; ``base`` holds what a wrapper is.
"""

from __future__ import annotations

from typing import Final

from reference_impl.errors import SettingsError
from reference_impl.sabotage import (
    administration,
    answers,
    consumption,
    delay,
    disks,
    filtering,
    frames,
    groups,
    lookups,
    odd_answers,
    odd_ways,
    order,
    protocol,
    pulling,
    reading,
    replica,
    routing,
    slaves,
    storage,
    transactions,
)
from reference_impl.sabotage.base import Sabotage

SABOTAGES: Final[dict[str, Sabotage]] = {
    sabotage.name: sabotage
    for area in (
        storage,
        reading,
        filtering,
        lookups,
        pulling,
        replica,
        slaves,
        disks,
        consumption,
        groups,
        order,
        delay,
        transactions,
        protocol,
        routing,
        frames,
        answers,
        administration,
    )
    for sabotage in area.SABOTAGES
}
"""Every planted bug by name."""
ODDITIES: Final[dict[str, Sabotage]] = {
    odd.name: odd for area in (storage, consumption, routing, odd_answers, odd_ways) for odd in area.ODDITIES
}
"""Every legal oddity by name."""


def find(name: str | None, odd: str | None, role: str) -> list[Sabotage]:
    """What a process of ``role`` (``broker`` or ``namesrv``) is to be wrapped in; names of the other role do nothing.

    Raises SettingsError for a name that is in neither list.
    """
    wanted = []
    for option, given, known in (("--sabotage", name, SABOTAGES), ("--odd", odd, ODDITIES)):
        if given is None:
            continue
        if given not in known:
            raise SettingsError(f"{option} {given!r} is unknown: write one of {', '.join(sorted(known))}")
        if known[given].role == role:
            wanted.append(known[given])
    return wanted


__all__ = ["ODDITIES", "SABOTAGES", "Sabotage", "find"]
