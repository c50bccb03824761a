"""Disks: everything the broker keeps goes through one of these, and each knows what a power cut would leave.

What lives here: the ``Disk`` and ``File`` protocols (``base``), the real file system with its record of what was synced
(``real``), a disk in memory that can crash (``memory``), and a wrapper that makes syncs slow or failing
(``faulty``). What must not: any knowledge of messages, topics or the protocol.

The synced record
=================

After SIGKILL the page cache survives, so a killed broker loses nothing it had written. After a power cut only what
was synced is sure to exist. To let a test tool turn the first into the second, ``RealDisk(root, record=True)``
appends one JSON line to ``<root>/synced.jsonl`` after each real ``fdatasync`` has returned and before the caller can
act on it. Each line is one ``write`` of whole bytes that ends in a newline; a last line without newline is to be
ignored. Paths are relative to the root and use ``/``.
**For each file the last line wins.** There are four kinds of line:

``{"file": F, "synced_bytes": N}``
    The first N bytes of F and F's name are on the disk. Bytes after N may or may not be. What was synced is never
    overwritten: a file is only written beyond N or cut off (then a new line with the smaller N follows the sync of
    the cut).
``{"file": F, "synced_bytes": N, "replacing": true}``
    F is about to be, or has been, replaced by a rename that is not synced. The synced version, N bytes, is kept
    whole as ``F.prev``. This is written before the rename; F itself may be the earlier or the later version.
``{"file": F, "synced_bytes": N, "replaced": true}``
    The replacement (N bytes) and its name are on the disk: temporary file, fsync, rename, fsync of the folder.
    ``F.prev``, where it still exists, is waste.
``{"file": F, "removed": true}``
    F is gone, and its folder was synced.

So the state after a power cut is made from a killed broker's folder like this (``synced.jsonl`` itself is not part
of the disk that loses power; it may stay as it is, since every rule is safe to apply twice):

1. Files never listed, or last listed as ``removed``, are deleted; so are, after step 2, those that end
   in ``.tmp`` or ``.prev``.
2. Last line with ``replacing``: if ``F.prev`` exists it is renamed over F, otherwise F is the earlier version still.
3. Otherwise F is cut to ``min(N, actual size)``; a missing F stays missing (its removal may have reached the disk).
   For a *torn* write a random number of the bytes after N may be left in place instead, if the last line has neither
   ``replacing`` nor ``replaced``.

What was lost is the sum of what the rules deleted or cut. A broker started on the folder (after a kill or a cut)
reads the record, brings it in line with the files and rewrites it shorter. A folder that was written with
``record=False`` counts as unsynced.
"""

from __future__ import annotations

from reference_impl.disk.base import Disk, File
from reference_impl.disk.faulty import FaultyDisk
from reference_impl.disk.memory import MemoryDisk
from reference_impl.disk.real import RealDisk

__all__ = ["Disk", "FaultyDisk", "File", "MemoryDisk", "RealDisk"]
