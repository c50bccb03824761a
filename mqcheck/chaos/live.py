"""Figures of the recorded history while it is being written: what the probes of a steady state are made of.

`Seen` takes lines of streams and answers questions about the last moments, without a clock of its own; `Follower` reads
what has been appended to the files since it looked last.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

NS_PER_MS: Final = 1_000_000
KEPT_NS: Final = 60 * 1_000_000_000
"""What ended longer ago is forgotten: no window is longer. Ours."""

STALLS_KEPT: Final = 1_000
"""Ours."""

Operation = Literal["send", "deliver"]
"""`send`: a send call. `deliver`: from a send call to the first moment in which a consumer of a group was given its
message, as in `numbers`."""

_TABLES: Final = (b'{"e":"sends"', b'{"e":"deliveries"', b'{"e":"results"', b'{"e":"stalls"')


@dataclass(slots=True)
class _Ended:
    """Operations of one kind that have ended, by time."""

    times: deque[int] = field(default_factory=deque)
    oks: deque[bool] = field(default_factory=deque)
    lasted: deque[int] = field(default_factory=deque)
    """In ns."""

    def add(self, ended: int, ok: bool, lasted: int) -> None:
        self.times.append(ended)
        self.oks.append(ok)
        self.lasted.append(lasted)
        while self.times and self.times[0] < ended - KEPT_NS:
            for column in (self.times, self.oks, self.lasted):
                column.popleft()

    def since(self, began: int) -> tuple[list[bool], list[int]]:
        """Outcomes and lengths of what ended since; streams of several processes are not quite in order."""
        chosen = [place for place, ended in enumerate(self.times) if ended >= began]
        return [self.oks[place] for place in chosen], [self.lasted[place] for place in chosen]


@dataclass(slots=True)
class Seen:
    """What the lines so far say."""

    under_way: dict[int, int] = field(default_factory=dict)
    """Send calls that have not ended: op → invoked, in ns."""
    sent_at: dict[int, int] = field(default_factory=dict)
    """Message → when its send call began."""
    delivered: set[tuple[str, int]] = field(default_factory=set)
    """Group and message of what was handed out before."""
    stalls: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=STALLS_KEPT))
    """Begin and end of the times in which one of the kit's processes stood still."""
    ended: dict[Operation, _Ended] = field(default_factory=lambda: {"send": _Ended(), "deliver": _Ended()})

    def take(self, line: bytes) -> None:
        """Learn from one line of a stream; tables that nobody asks about are not parsed."""
        if not line.startswith(_TABLES):
            return
        row: dict[str, Any] = msgspec.json.decode(line)
        if row["e"] == "sends":
            self._send(row)
        elif row["e"] == "deliveries":
            self._delivery(row)
        elif row["e"] == "stalls":
            self.stalls.append((row["began"], row["ended"]))
        elif row.get("w") == "b" and row.get("kind") == "listener" and row.get("result") != "success":
            self.ended["deliver"].add(row["t"], False, 0)

    def success_rate(self, operation: Operation, window_ms: int, now_ns: int) -> float:
        """Share of what ended in the last `window_ms` that ended well, 0 to 1; 0 where nothing ended.

        A send call that has been under way for longer than the window counts as one that did not end well.
        """
        oks, _ = self.ended[operation].since(self.began(window_ms, now_ns))
        overdue = len(self._overdue(window_ms, now_ns)) if operation == "send" else 0
        return sum(oks) / (len(oks) + overdue) if oks or overdue else 0.0

    def latency_ms(self, operation: Operation, percentile: float, window_ms: int, now_ns: int) -> float:
        """A percentile of what ended well in the last `window_ms`; where nothing did: the window itself, at least.

        Send calls under way count with their age where that is longer than what most ended ones took.
        """
        oks, lasted = self.ended[operation].since(self.began(window_ms, now_ns))
        times = sorted(took for ok, took in zip(oks, lasted, strict=True) if ok)
        if operation == "send":
            times = sorted([*times, *self._overdue(window_ms, now_ns)])
        if not times:
            return float(window_ms)
        return times[min(len(times) - 1, int(len(times) * percentile / 100))] / NS_PER_MS

    def per_second(self, operation: Operation, window_ms: int, now_ns: int) -> float:
        """How many ended well per second, over the last `window_ms`."""
        oks, _ = self.ended[operation].since(self.began(window_ms, now_ns))
        return sum(oks) * 1000 / window_ms

    def began(self, window_ms: int, now_ns: int) -> int:
        """When a window of so many milliseconds began: what the kit itself stood still in it does not count."""
        began = now_ns - window_ms * NS_PER_MS
        for stood, went_on in reversed(self.stalls):
            if went_on <= began:
                break
            began -= went_on - stood
        return began

    def _overdue(self, window_ms: int, now_ns: int) -> list[int]:
        """Ages of send calls that are under way for longer than the window, in ns."""
        limit = self.began(window_ms, now_ns)
        return [now_ns - began for began in self.under_way.values() if began < limit]

    def _send(self, row: dict[str, Any]) -> None:
        if row.get("w") == "b":
            self.sent_at[row.get("message", row["op"])] = row["t"]
            if row.get("mode") != "oneway":
                self.under_way[row["op"]] = row["t"]
            return
        began = self.under_way.pop(row["op"], None)
        if began is not None:
            self.ended["send"].add(row["t"], row.get("outcome") == "ok", row["t"] - began)

    def _delivery(self, row: dict[str, Any]) -> None:
        message = row.get("message", -1)
        began, pair = self.sent_at.get(message), (row.get("consumer_group", ""), message)
        if began is not None and pair not in self.delivered:
            self.delivered.add(pair)
            received = row.get("received", row["t"])
            self.ended["deliver"].add(received, True, received - began)


class Follower:
    """Reads every stream of a history folder as it grows; used from any thread."""

    def __init__(self, events: Path) -> None:
        self._events = events
        self._read: dict[Path, int] = {}
        """Bytes of whole lines read so far, by file."""
        self._seen = Seen()
        self._lock = threading.Lock()

    @contextmanager
    def look(self) -> Iterator[Seen]:
        """What is known now, inside the block. A line that is being written is left for the next look."""
        with self._lock:
            for path in sorted(self._events.glob("*.jsonl")):
                self._take(path)
            yield self._seen

    def _take(self, path: Path) -> None:
        began = self._read.get(path, 0)
        with path.open("rb") as file:
            file.seek(began)
            data = file.read()
        whole = data.rfind(b"\n") + 1
        self._read[path] = began + whole
        _feed(self._seen, data[:whole].splitlines())


def _feed(seen: Seen, lines: Iterable[bytes]) -> None:
    for line in lines:
        seen.take(line)
