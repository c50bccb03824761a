"""Stored records. (Signatures; bodies follow.)"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record as a broker stores it and PULL returns it."""
