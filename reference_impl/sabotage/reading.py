"""Planted bugs of what is read: records left out or changed on their way to whoever asks for them.

Each class says what it breaks and which guarantee must catch it.
"""

from __future__ import annotations

from typing import Any, Final, cast

from msgspec.structs import replace

from reference_impl.commands import ResponseCode
from reference_impl.effects import Effect, Reply
from reference_impl.message import Record, decode_record
from reference_impl.sabotage.base import CoreSettings, Passing, PassingCore, Sabotage, around_store, of_user
from reference_impl.server import Core
from reference_impl.store import Read, Store

HIDE_EVERY: Final = 10
"""Every how many messages of a queue these bugs leave one out or change it."""
CHECKSUM_AT: Final = 8
"""Where a record has its body's checksum: behind its size and its magic number."""


class Reading(Passing):
    """Looks at every record that is read; no bug itself."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.recovered = int(inner.appended_position)
        """Where what the log held at the start ends."""

    def given(self, record: Record, data: bytes) -> bytes:
        """What is given of a record; nothing leaves it out."""
        raise NotImplementedError

    def read(self, *arguments: Any, **options: Any) -> Read:
        """Read, and give what is to be given."""
        found = cast(Read, self.inner.read(*arguments, **options))
        given, at = [], 0
        while at < len(found.records):
            record = decode_record(found.records, at)
            given.append(self.given(record, found.records[at : at + record.size]))
            at += record.size
        kept = [data for data in given if data]
        status = found.status if kept or not given else "NO_MATCHED_MESSAGE"
        return replace(found, status=status, records=b"".join(kept), count=len(kept))


class HideRecovered(Reading):
    """Every tenth message that the log held at the start is left out of every answer; dur-power-readable must catch
    it.
    """

    def given(self, record: Record, data: bytes) -> bytes:
        """Nothing of some old ones."""
        return b"" if record.physical_offset < self.recovered and record.queue_offset % HIDE_EVERY == 0 else data


class LeaveHoles(Reading):
    """Every tenth message of a queue is left out of every answer; sto-offset-dense must catch it."""

    def given(self, record: Record, data: bytes) -> bytes:
        """Nothing of some."""
        return b"" if of_user(record.topic) and record.queue_offset % HIDE_EVERY == 0 else data


class CorruptRecovered(Reading):
    """Gives every tenth message that the log held at the start with a body that its checksum does not fit;
    sto-recover-no-ghost must catch it.
    """

    def given(self, record: Record, data: bytes) -> bytes:
        """Another body of some old ones."""
        if record.physical_offset >= self.recovered or record.queue_offset % HIDE_EVERY or not record.body:
            return data
        behind = len(record.body) + 1 + len(record.topic.encode()) + 2 + len(record.raw_properties)
        at = len(data) - behind
        return data[:at] + bytes((data[at] ^ 0x01,)) + data[at + 1 :]


class WrongChecksum(Reading):
    """Gives every tenth message with a checksum that is not its body's; dur-crc-valid must catch it."""

    def given(self, record: Record, data: bytes) -> bytes:
        """Another checksum of some."""
        if not of_user(record.topic) or record.queue_offset % HIDE_EVERY:
            return data
        return data[:CHECKSUM_AT] + bytes((data[CHECKSUM_AT] ^ 0x01,)) + data[CHECKSUM_AT + 1 :]


class HideLate(Reading):
    """Leaves out of every answer what was stored and answered FLUSH_DISK_TIMEOUT; dur-notok-stored must catch it."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.late: set[tuple[int, int]] = set()
        """Queue and offset; ours, without the topic."""

    def given(self, record: Record, data: bytes) -> bytes:
        """Nothing of what came late."""
        return b"" if (record.queue_id, record.queue_offset) in self.late and of_user(record.topic) else data


class HidingCore(PassingCore):
    """Tells ``HideLate`` what was answered late; part of that bug."""

    def __init__(self, inner: Core, store: HideLate) -> None:
        super().__init__(inner)
        self.store = store

    def review(self, now_ms: int, effects: list[Effect]) -> list[Effect]:
        """Remember places."""
        del now_ms
        for effect in effects:
            if isinstance(effect, Reply) and effect.command.code == ResponseCode.FLUSH_DISK_TIMEOUT:
                fields = effect.command.fields
                self.store.late.add((int(fields["queueId"]), int(fields["queueOffset"])))
        return effects


def _hiding(core: Core, settings: CoreSettings) -> Core:
    del settings
    store = core.state.store  # type: ignore[attr-defined]
    return HidingCore(core, store)


SABOTAGES: Final = (
    Sabotage(
        "hide-recovered",
        "leaves out every tenth message that the log held at the start",
        "dur-power-readable",
        wrap_store=around_store(HideRecovered),
    ),
    Sabotage(
        "leave-holes",
        "leaves out every tenth message of a queue",
        "sto-offset-dense",
        wrap_store=around_store(LeaveHoles),
    ),
    Sabotage(
        "wrong-checksum",
        "gives every tenth message with a checksum that is not its body's",
        "dur-crc-valid",
        wrap_store=around_store(WrongChecksum),
    ),
    Sabotage(
        "hide-late",
        "leaves out of every answer what it answered FLUSH_DISK_TIMEOUT to",
        "dur-notok-stored",
        wrap_store=around_store(HideLate),
        wrap_core=_hiding,
    ),
    Sabotage(
        "corrupt-recovered",
        "gives every tenth message that the log held at the start with another body",
        "sto-recover-no-ghost",
        wrap_store=around_store(CorruptRecovered),
    ),
)
