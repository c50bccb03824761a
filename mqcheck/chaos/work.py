"""What runs on an experiment's cluster, as a file asks for it: topics, loads, consumers. Every word is checked here.

The one place for their defaults: the control's lists and the actions `start_load` and `start_consumers` share it.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final, TypeVar

from mqcheck.errors import SettingsError

WHOLE: Final = re.compile(r"[+-]?[0-9]+")


@dataclass(frozen=True, slots=True)
class TopicWish:
    """A topic that is there before anything runs."""

    name: str = "orders"
    queues: int = 4
    """On each broker."""
    brokers: Sequence[str] | None = None
    """By name; None: all masters."""


@dataclass(frozen=True, slots=True)
class LoadWish:
    """Producers that send steadily until `stop_load`; their clients are called ``<name>-1``, …"""

    topic: str = "orders"
    name: str = "producer"
    producers: int = 2
    rate_per_s: float = 60.0
    """All producers' together."""
    workers: int = 2
    """One producer's sends under way at once; a producer in a process of its own has one."""
    process: bool = False
    """Each a process of its own, which faults can kill and pause."""

    def clients(self) -> list[str]:
        """Names of its clients."""
        return [f"{self.name}-{number + 1}" for number in range(self.producers)]


@dataclass(frozen=True, slots=True)
class ConsumersWish:
    """Members of a consumer group; their clients are called ``<group>-1``, …"""

    group: str = "billing"
    topic: str = "orders"
    members: int = 2
    work_ms: int = 0
    """How long a listener takes for a message; the whole group's, the first call's."""
    process: bool = False
    orderly: bool = False
    """The whole group's, the first call's."""


LOAD: Final = LoadWish()
CONSUMERS: Final = ConsumersWish()

Wish = TypeVar("Wish", TopicWish, LoadWish, ConsumersWish)


def topic_of(given: Any) -> TopicWish:
    """One entry of the control's `topics`. Raises SettingsError."""
    wish = _known("topics", TopicWish(), given)
    brokers = wish.brokers
    if brokers is not None and (isinstance(brokers, str) or not all(isinstance(each, str) for each in brokers)):
        raise SettingsError(f"topics: brokers is {brokers!r}; it must be a list of names")
    return replace(wish, name=_text("topics: name", wish.name), queues=whole("topics: queues", wish.queues))


def load_of(given: Any) -> LoadWish:
    """Arguments of `start_load`, and one entry of the control's `load`. Raises SettingsError."""
    wish = _known("load", LOAD, given)
    process = truth("load: process", wish.process)
    if process and wish.workers != LOAD.workers:
        raise SettingsError("load: a producer with `process: true` has one worker; leave `workers` out")
    rate = number("load: rate_per_s", wish.rate_per_s)
    if rate <= 0:
        raise SettingsError(f"load: rate_per_s is {wish.rate_per_s!r}; it must be more than 0")
    return LoadWish(
        _text("load: topic", wish.topic),
        _text("load: name", wish.name),
        whole("load: producers", wish.producers),
        rate,
        whole("load: workers", wish.workers),
        process,
    )


def consumers_of(given: Any) -> ConsumersWish:
    """Arguments of `start_consumers`, and one entry of the control's `consumers`. Raises SettingsError."""
    wish = _known("consumers", CONSUMERS, given)
    return ConsumersWish(
        _text("consumers: group", wish.group),
        _text("consumers: topic", wish.topic),
        whole("consumers: members", wish.members),
        whole("consumers: work_ms", wish.work_ms, least=0),
        truth("consumers: process", wish.process),
        truth("consumers: orderly", wish.orderly),
    )


def whole(name: str, given: Any, least: int = 1) -> int:
    """A whole number; variables come as text. Raises SettingsError."""
    found = int(given) if isinstance(given, str) and WHOLE.fullmatch(given) else given
    if isinstance(found, bool) or not isinstance(found, int) or found < least:
        raise SettingsError(f"{name} is {given!r}; it must be a whole number, {least} or more")
    return found


def number(name: str, given: Any) -> float:
    """A number; variables come as text. Raises SettingsError."""
    found: float = math.nan
    if isinstance(given, str):
        with contextlib.suppress(ValueError):
            found = int(given) if WHOLE.fullmatch(given) else float(given)
    elif isinstance(given, int | float) and not isinstance(given, bool):
        found = given
    if not math.isfinite(found):
        raise SettingsError(f"{name} is {given!r}; it must be a number")
    return found


def truth(name: str, given: Any) -> bool:
    """True or false; variables come as text. Raises SettingsError."""
    words = {"true": True, "false": False}
    found = words.get(given.lower()) if isinstance(given, str) else given
    if not isinstance(found, bool):
        raise SettingsError(f"{name} is {given!r}; it must be true or false")
    return found


def _known(what: str, default: Wish, given: Any) -> Wish:
    names = [each.name for each in fields(default)]
    if not isinstance(given, Mapping):
        raise SettingsError(f"{what} has the entry {given!r}; each must be a table of {', '.join(names)}")
    for name in given:
        if name not in names:
            raise SettingsError(f"{what} has no {name!r}; it takes {', '.join(names)}")
    return replace(default, **given)


def _text(name: str, given: Any) -> str:
    if not isinstance(given, str) or not given:
        raise SettingsError(f"{name} is {given!r}; it must be a name")
    return given
