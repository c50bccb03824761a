"""What went through the broker: counts per topic and per group, and their rates over a minute, an hour and a day.

Counting is two additions; everything else happens at sampling. Memory is bounded: KEYS_MAX tallies of at most 39
samples each. Must not know requests. Sources: RocketMQ BrokerStatsManager, StatsItem, StoreStatsService, BrokerStats.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final

from msgspec import Struct, field

SECONDS_MS: Final = 10_000
"""Between two samples of the minute [StatsItemSet]."""
MINUTES_MS: Final = 600_000
"""Between two samples of the hour."""
HOURS_MS: Final = 3_600_000
"""Between two samples of the day."""
DAY_MS: Final = 86_400_000
KEYS_MAX: Final = 10_000
"""Topics, and pairs of topic and group, that are counted by themselves; ours. Later ones count in the totals only."""

Sample = tuple[int, int, int, int]
"""Time in ms, messages, bytes, times."""


class Tally(Struct):
    """Messages and bytes since the start, and samples of them. RocketMQ: StatsItem."""

    messages: int = 0
    bytes: int = 0
    times: int = 0
    """Requests that brought or took messages."""
    minute: deque[Sample] = field(default_factory=lambda: deque(maxlen=7))
    hour: deque[Sample] = field(default_factory=lambda: deque(maxlen=7))
    day: deque[Sample] = field(default_factory=lambda: deque(maxlen=25))

    def sample(self, window: deque[Sample], now_ms: int, period_ms: int) -> None:
        """Put the present figures into a window; the first sample gets a zero before it."""
        if not window:
            window.append((now_ms - period_ms, 0, 0, 0))
        window.append((now_ms, self.messages, self.bytes, self.times))


class Window(Struct, frozen=True):
    """What a window shows. RocketMQ: BrokerStatsItem."""

    sum: int = 0
    tps: float = 0.0
    """Per second."""
    avgpt: float = 0.0
    """Per request; 0 where requests are not counted."""


def shown(window: deque[Sample], column: int, per_request: bool = True) -> Window:
    """A window's figures; the column: 1 messages, 2 bytes, 3 times. RocketMQ: StatsItem.computeStatsData."""
    if len(window) < 2:
        return Window()
    first, last = window[0], window[-1]
    total, times, ms = last[column] - first[column], last[3] - first[3], last[0] - first[0]
    return Window(total, total * 1000 / ms if ms > 0 else 0.0, total / times if times > 0 and per_request else 0.0)


class Statistics(Struct):
    """All tallies of one broker."""

    puts: dict[str, Tally] = field(default_factory=dict)
    """By topic."""
    gets: dict[tuple[str, str], Tally] = field(default_factory=dict)
    """By topic and group."""
    backs: dict[tuple[str, str], Tally] = field(default_factory=dict)
    """Sent back, by topic and group."""
    all_puts: Tally = field(default_factory=Tally)
    all_gets: Tally = field(default_factory=Tally)
    all_misses: Tally = field(default_factory=Tally)
    """Pulls that found nothing, each look of a held one too."""
    mornings: deque[tuple[int, int]] = field(default_factory=lambda: deque([(0, 0), (0, 0)], maxlen=2))
    """Messages put and got up to yesterday's and today's first moment (UTC)."""
    today: int = 0
    """Days since 1970, UTC."""

    def put(self, topic: str, messages: int, size: int) -> None:
        """Messages were stored by one request."""
        total = self.all_puts
        total.messages += messages
        total.bytes += size
        total.times += 1
        tally = self.puts.get(topic)
        if tally is None:
            if len(self.puts) >= KEYS_MAX:
                return
            tally = self.puts[topic] = Tally()
        tally.messages += messages
        tally.bytes += size
        tally.times += 1

    def got(self, topic: str, group: str, messages: int, size: int) -> None:
        """Messages were handed out by one pull."""
        total = self.all_gets
        total.messages += messages
        total.bytes += size
        total.times += 1
        _count(self.gets, (topic, group), messages, size)

    def missed(self) -> None:
        """A pull found nothing."""
        self.all_misses.times += 1

    def sent_back(self, topic: str, group: str) -> None:
        """A consumer sent a message back."""
        _count(self.backs, (topic, group), 1, 0)

    def start(self, now_ms: int) -> None:
        """The day begins to be watched."""
        self.today = now_ms // DAY_MS

    def sample_seconds(self, now_ms: int) -> None:
        """Every SECONDS_MS."""
        for tally in self._tallies():
            tally.sample(tally.minute, now_ms, SECONDS_MS)

    def sample_minutes(self, now_ms: int) -> None:
        """Every MINUTES_MS."""
        for tally in self._tallies():
            tally.sample(tally.hour, now_ms, MINUTES_MS)

    def sample_hours(self, now_ms: int) -> None:
        """Every HOURS_MS; a tally that has not moved for the whole day is dropped."""
        for tally in self._tallies():
            tally.sample(tally.day, now_ms, HOURS_MS)
        for table in (self.puts, self.gets, self.backs):
            _drop_idle(table)
        if now_ms // DAY_MS != self.today:
            self.today = now_ms // DAY_MS
            self.mornings.append((self.all_puts.messages, self.all_gets.messages))

    def forget_topic(self, topic: str) -> None:
        """A topic is gone (only with autoDeleteUnusedStats, as in RocketMQ)."""
        self.puts.pop(topic, None)
        for table in (self.gets, self.backs):
            for key in [key for key in table if key[0] == topic]:
                del table[key]

    def forget_group(self, group: str) -> None:
        """A group is gone (only with autoDeleteUnusedStats, as in RocketMQ)."""
        for table in (self.gets, self.backs):
            for key in [key for key in table if key[1] == group]:
                del table[key]

    def consume_tps(self, topic: str, group: str) -> float:
        """Messages per second that a group took of a topic in the last minute."""
        tally = self.gets.get((topic, group))
        return shown(tally.minute, 1).tps if tally is not None else 0.0

    def find(self, name: str, key: str, cluster: str) -> dict[str, Any] | None:
        """RocketMQ's BrokerStatsData by RocketMQ's names and keys; None where nothing was counted."""
        found = self._tally(name, key, cluster)
        if found is None:
            return None
        tally, column, per_request = found
        windows = {"statsMinute": tally.minute, "statsHour": tally.hour, "statsDay": tally.day}
        return {name: shown(window, column, per_request) for name, window in windows.items()}

    def _tally(self, name: str, key: str, cluster: str) -> tuple[Tally, int, bool] | None:
        topic, _, group = key.rpartition("@")
        kind, _, unit = name.rpartition("_")
        column = {"NUMS": 1, "SIZE": 2}.get(unit)
        if column is None:
            return None
        if kind in ("BROKER_PUT", "BROKER_GET"):
            total = self.all_puts if kind == "BROKER_PUT" else self.all_gets
            return (total, column, False) if key == cluster and column == 1 else None
        tally = {
            "TOPIC_PUT": self.puts.get(key),
            "GROUP_GET": self.gets.get((topic, group)),
            "SNDBCK_PUT": self.backs.get((topic, group)) if column == 1 else None,
        }.get(kind)
        return None if tally is None else (tally, column, True)

    def _tallies(self) -> list[Tally]:
        return [
            self.all_puts,
            self.all_gets,
            self.all_misses,
            *self.puts.values(),
            *self.gets.values(),
            *self.backs.values(),
        ]


def _count(table: dict[tuple[str, str], Tally], key: tuple[str, str], messages: int, size: int) -> None:
    tally = table.get(key)
    if tally is None:
        if len(table) >= KEYS_MAX:
            return
        tally = table[key] = Tally()
    tally.messages += messages
    tally.bytes += size
    tally.times += 1


def _drop_idle(table: dict[Any, Tally]) -> None:
    for key, tally in list(table.items()):
        if len(tally.day) == tally.day.maxlen and tally.day[0][1] == tally.messages:
            del table[key]
