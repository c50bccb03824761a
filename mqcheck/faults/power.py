"""Power cuts: what was not synced is gone. The fault, and how a killed broker's folder becomes one that lost power.

The reference writes down what each fsync covered in ``<store>/synced.jsonl``; that file's format is described with the
reference's disks, and this is its only reader here. A kill leaves the page cache; a cut does not.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

from mqcheck.errors import FaultError, NodeEndedError
from mqcheck.faults.base import Fault, Ground
from mqcheck.targets.base import node_named

RECORD_NAME: Final = "synced.jsonl"
EARLIER_SUFFIX: Final = ".prev"
TEMPORARY_SUFFIX: Final = ".tmp"

RECORD_MODEL: Final = "the reference's record of what it synced"
"""What decides what such a cut leaves, as reports have it."""

SAID_CHARACTERS_MAX: Final = 300
"""Of what a node said that did not start again; its log has the rest. Ours."""

FILES_SHOWN_MAX: Final = 20
"""Files that an effect lists one by one; the sums count all of them. Ours."""


@dataclass(frozen=True, slots=True, eq=False)
class PowerCut(Fault):
    """A broker's machine loses power: the process ends at once, and so does everything it had not synced.

    Healed by starting it again. Reveals acknowledgements that did not wait for the disk; only a group with
    ASYNC_FLUSH beside it, cut alike, shows that there was something to lose.
    """

    kind: ClassVar[str] = "power-cut"
    needs: ClassVar[str] = "power-cut"

    victim: str
    """Name of a broker node."""
    torn: bool = True
    """Whether some of the bytes after the last sync may have reached the disk: a record cut in the middle."""

    @property
    def node(self) -> str:
        """The node it hits."""
        return self.victim

    def parameters(self) -> Mapping[str, Any]:
        """Whether writes may be torn."""
        return {"torn": self.torn}

    async def inject(self, ground: Ground) -> Mapping[str, Any]:
        """Cut; effect: unsynced bytes dropped, in all and by file."""
        node = node_named(ground.cluster, self.victim)
        if not node.running:
            raise FaultError(f"{self} hits nothing: {self.victim} is not running; start it first")
        return await node.power_cut(ground.rng, torn=self.torn)

    async def heal(self, ground: Ground) -> Mapping[str, Any] | None:
        """Start it again; one that ends by itself on what the cut left stays down, and the effect says so."""
        try:
            await node_named(ground.cluster, self.victim).start()
        except NodeEndedError as error:
            return {"did_not_start": str(error)[-SAID_CHARACTERS_MAX:]}
        return None

    def confirmed(self, effect: Mapping[str, Any]) -> bool:
        """Did it drop anything? A cut that found everything synced proves nothing."""
        return bool(effect.get("unsynced_bytes_dropped"))


@dataclass(slots=True)
class _Losses:
    """What a cut took away, for the effect."""

    bytes_dropped: int = 0
    bytes_torn: int = 0
    files_removed: int = 0
    files_restored: int = 0
    by_file: dict[str, int] | None = None

    def lose(self, name: str, size: int) -> None:
        self.bytes_dropped += size
        self.by_file = self.by_file or {}
        if size and len(self.by_file) < FILES_SHOWN_MAX:
            self.by_file[name] = size

    def as_effect(self) -> dict[str, Any]:
        return {
            "unsynced_bytes_dropped": self.bytes_dropped,
            "torn_bytes_kept": self.bytes_torn,
            "files_removed": self.files_removed,
            "files_restored": self.files_restored,
            "by_file": self.by_file or {},
            "model": RECORD_MODEL,
        }


def apply_power_cut(root: Path, rng: random.Random, *, torn: bool) -> dict[str, Any]:
    """Turn the folder of a killed broker into that of one that lost power; what was dropped, in bytes.

    Safe to apply twice. With `torn`, a random number of the bytes after the last sync stays in some of the files.
    Raises FaultError when the folder has no record of what was synced: then nobody knows what a cut would leave.
    """
    record = root / RECORD_NAME
    if not record.exists():
        raise FaultError(f"{record} is missing: this node does not record what it syncs, so its power cannot be cut")
    last = _last_lines(record)
    losses = _Losses()
    names = sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    for name in names:
        if name != RECORD_NAME and not name.endswith((TEMPORARY_SUFFIX, EARLIER_SUFFIX)):
            _cut_file(root, name, last.get(name), rng if torn else None, losses)
    for name, line in last.items():
        if line.get("replacing") and not (root / name).exists():
            _restore(root, name, losses)
    for path in root.rglob("*"):
        if path.name.endswith((TEMPORARY_SUFFIX, EARLIER_SUFFIX)) and path.is_file():
            path.unlink()
    return losses.as_effect()


def _cut_file(
    root: Path, name: str, line: Mapping[str, Any] | None, tearing: random.Random | None, losses: _Losses
) -> None:
    path = root / name
    size = path.stat().st_size
    if line is None or line.get("removed"):
        path.unlink()
        losses.files_removed += 1
        losses.lose(name, size)
        return
    if line.get("replacing"):
        _restore(root, name, losses)
        return
    synced = min(int(line["synced_bytes"]), size)
    kept = synced
    if tearing is not None and size > synced and not line.get("replaced"):
        # Half of the cuts are clean: a torn write must not be the only thing a recovery ever sees.
        kept += tearing.choice((0, tearing.randrange(size - synced)))
    os.truncate(path, kept)
    losses.bytes_torn += kept - synced
    losses.lose(name, size - kept)


def _restore(root: Path, name: str, losses: _Losses) -> None:
    """The earlier version is what a replacement that was not synced leaves."""
    path = root / name
    earlier = path.with_name(path.name + EARLIER_SUFFIX)
    if earlier.exists():
        losses.lose(name, path.stat().st_size if path.exists() else 0)
        losses.files_restored += 1
        earlier.replace(path)


def _last_lines(record: Path) -> dict[str, dict[str, Any]]:
    """File → its last line; a last line without newline was never finished."""
    lines = record.read_bytes().split(b"\n")[:-1]
    return {line["file"]: line for line in map(json.loads, lines)}
