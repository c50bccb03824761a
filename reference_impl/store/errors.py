"""What the store refuses, and why. Each message shows the value, the rule and the way out.

StoreError
├── StoreBusyError
├── RecordTooLargeError
└── StoreDamagedError
"""

from __future__ import annotations


class StoreError(Exception):
    """The store did not do what it was asked; nothing was changed."""


class StoreBusyError(StoreError):
    """Too many bytes wait for a sync; the client may try again (RocketMQ: OS_PAGECACHE_BUSY, answered with
    SYSTEM_BUSY).
    """


class RecordTooLargeError(StoreError):
    """A record, or a batch, does not fit into one commit log file; trying again does not help."""


class StoreDamagedError(StoreError):
    """A file that is only ever replaced as a whole cannot be read: something else has written to it."""
