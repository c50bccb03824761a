"""From a node's effective properties to the derived keys that guarantees read from `config`.

Pure. The keys are the history's (``expiry_ms``, ``delay_level_3_ms``, …), the properties RocketMQ's and
the reference's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mqcheck.targets.base import Role

DELAY_UNIT_MS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
"""Units of messageDelayLevel; ``ms`` is the reference's own."""

DERIVED: Final[Mapping[Role, Mapping[str, str]]] = {
    "nameserver": {"expiry_ms": "reference.brokerExpiryMs", "scan_ms": "reference.brokerScanMs"},
    "broker": {
        "register_ms": "reference.registerPeriodMs",
        "client_expiry_ms": "reference.clientExpiryMs",
        "client_scan_ms": "reference.clientScanMs",
        "hold_scan_ms": "reference.holdScanMs",
        "delay_scan_ms": "reference.delayScanMs",
        "lock_expiry_ms": "reference.lockExpiryMs",
        "offset_flush_ms": "flushConsumerOffsetInterval",
        "sync_flush_timeout_ms": "syncFlushTimeout",
    },
}
"""What guarantees read from `config` → the property it comes from."""


def derived_settings(role: Role, settings: Mapping[str, str]) -> dict[str, str]:
    """Derived key → value, for each property that the node has."""
    found = {key: settings[name] for key, name in DERIVED[role].items() if name in settings}
    for number, delay_ms in enumerate(delay_levels_ms(settings.get("messageDelayLevel", "")), start=1):
        found[f"delay_level_{number}_ms"] = str(delay_ms)
    return found


def delay_levels_ms(text: str) -> list[int]:
    """``1s 5s 10s …`` as milliseconds, level 1 first."""
    levels = []
    for word in text.split():
        unit = word.lstrip("0123456789")
        levels.append(int(word.removesuffix(unit)) * DELAY_UNIT_MS[unit])
    return levels
