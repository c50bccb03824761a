"""Every error that the reference raises itself, drawn as a tree.

Holds no behaviour: answers to a peer (response codes) are chosen where a request is handled.

::

    ReferenceError_
    ├── SettingsError     a property or command line that cannot be used (the user's mistake)
    ├── ReferenceBugError an effect or answer that the shell cannot carry out (the reference's mistake)
    ├── StoreError        the store did not do what it was asked
    │   ├── StoreBusyError      too many bytes wait for a sync
    │   ├── RecordTooLargeError a record that no commit log file can hold
    │   └── StoreDamagedError   a table that something else has written to
    └── WireError         bytes of a peer that break a layout (the peer's mistake)
        ├── HeaderError   a field of a request's header: the request is answered with code 1
        ├── FrameError    a frame: its connection is to be closed
        ├── JsonError     a JSON text that even the tolerant reader refuses
        ├── RecordError   a stored record, a batch or an address within one
        └── ExpressionError a filter that is none
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reference_impl.frame import Command


class ReferenceError_(Exception):  # noqa: N801, N818 - the plain name is a builtin with another meaning
    """Trunk of the tree; never raised itself."""


class SettingsError(ReferenceError_):
    """A property or a command line that cannot be used; the message names the value, the rule and the way out."""


class ReferenceBugError(ReferenceError_):
    """An effect that the shell cannot carry out, such as a call to an address without a port."""


class StoreError(ReferenceError_):
    """The store did not do what it was asked; nothing was changed."""


class StoreBusyError(StoreError):
    """Too many bytes wait for a sync; the client may try again (RocketMQ: OS_PAGECACHE_BUSY → SYSTEM_BUSY)."""


class RecordTooLargeError(StoreError):
    """A record, or a batch, does not fit into one commit log file; trying again does not help."""


class StoreDamagedError(StoreError):
    """A file that is only ever replaced as a whole cannot be read: something else has written to it."""


class WireError(ReferenceError_):
    """Bytes of a peer that break a layout."""


class FrameError(WireError):
    """A frame that cannot be read; RocketMQ closes the connection without an answer [NettyDecoder].

    ``decoded`` holds the good commands that stood before the bad frame in the same bytes: they are to be served.
    """

    def __init__(self, reason: str, decoded: tuple[Command, ...] = ()) -> None:
        super().__init__(reason)
        self.decoded = decoded


class HeaderError(WireError):
    """A field of a request's header that is missing or no number; the message names the field, its value and the rule.

    RocketMQ answers such a request with SYSTEM_ERROR.
    """


class JsonError(WireError):
    """A JSON text that even the tolerant reader refuses."""


class RecordError(WireError):
    """A stored record, a batch body, or a host within one, that breaks its layout, its length or its checksum."""


class ExpressionError(WireError):
    """A filter expression that cannot be read."""
