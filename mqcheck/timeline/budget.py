"""Keeps a timeline within a number of bytes: what nobody pointed at goes first, and is counted."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

SCENARIO_BYTES_MAX: Final = 200_000
"""Of one scenario's timeline as JSON; ours: a page of forty has less for each, see ``report``."""
PAGE_BYTES_MAX: Final = 2_900_000
"""Of a whole page; ours: three megabytes open at once on a telephone."""


def encoded(data: Any) -> str:
    """JSON without spaces."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"), default=str)


def fitted(timeline: Mapping[str, Any], bytes_max: int) -> dict[str, Any]:
    """The timeline, less detailed where it is larger than ``bytes_max``; ``left_out`` counts what went.

    In this order: half of the sample of lives, again and again; points of order pictures; connections; steps; order
    pictures; at last the lives in evidence, the last first. What is left then may still be too large, and stays.
    """
    slim: dict[str, Any] = dict(timeline)
    if len(encoded(slim).encode()) <= bytes_max:
        return slim
    slim = copy.deepcopy(slim)
    slim.setdefault("left_out", {})
    for _, reduce in sorted(_REDUCERS.items()):
        while len(encoded(slim).encode()) > bytes_max and reduce(slim):
            pass
    return slim


def _count(slim: dict[str, Any], what: str, number: int) -> bool:
    slim["left_out"][what] = slim["left_out"].get(what, 0) + number
    return number > 0


def _fewer_samples(slim: dict[str, Any]) -> bool:
    evidence = {str(message) for message in slim.get("evidence", ())}
    sample = [message for message in slim.get("messages", {}) if message not in evidence]
    gone = sample[1::2] if len(sample) > 1 else sample
    for message in gone:
        del slim["messages"][message]
    _drop_words(slim)
    return _count(slim, "lives of messages", len(gone))


def _drop_words(slim: dict[str, Any]) -> None:
    """Words of lives that went away go too, and the others get new numbers."""
    old, kept = slim.get("words", []), {-1: -1}
    for life in slim.get("messages", {}).values():
        for event in life["events"]:
            for number in event[2:]:
                kept.setdefault(number, len(kept) - 1)
            event[2:] = [kept[number] for number in event[2:]]
    slim["words"] = [old[number] for number in kept if number >= 0]


def _fewer_points(slim: dict[str, Any]) -> bool:
    gone = sum(_thinned(picture) for picture in slim.get("orders", ()))
    return _count(slim, "deliveries in order pictures", gone)


def _thinned(picture: dict[str, Any]) -> int:
    """Takes every other point without a mark; how many went."""
    marks = dict(picture["mark"])
    kept: dict[str, list[Any]] = {"at": [], "offset": [], "who": [], "mark": []}
    at = offset = last_at = last_offset = 0
    for number, (step, rise, who) in enumerate(zip(picture["at"], picture["offset"], picture["who"], strict=True)):
        at, offset = at + step, offset + rise
        if number not in marks and number % 2:
            continue
        if number in marks:
            kept["mark"].append([len(kept["at"]), marks[number]])
        kept["at"].append(at - last_at)
        kept["offset"].append(offset - last_offset)
        kept["who"].append(who)
        last_at, last_offset = at, offset
    gone = len(picture["at"]) - len(kept["at"])
    picture.update(kept)
    return gone


def _fewer(key: str, what: str) -> Callable[[dict[str, Any]], bool]:
    def reduce(slim: dict[str, Any]) -> bool:
        rows = slim.get(key, [])
        gone = len(rows) // 2
        slim[key] = rows[: len(rows) - gone]
        return _count(slim, what, gone)

    return reduce


def _fewer_connections(slim: dict[str, Any]) -> bool:
    """The shortest half goes."""
    rows = slim.get("connections", [])

    def length(row: list[Any]) -> float:
        return float(slim["length_ms"] if row[3] is None else row[3]) - float(row[2])

    kept = sorted(rows, key=length, reverse=True)[: len(rows) - len(rows) // 2]
    slim["connections"] = [row for row in rows if row in kept]
    return _count(slim, "connections", len(rows) - len(slim["connections"]))


def _fewer_in_evidence(slim: dict[str, Any]) -> bool:
    gone = [str(message) for message in slim.get("evidence", ())][-8:]
    found = [slim["messages"].pop(message) for message in gone if message in slim["messages"]]
    slim["evidence"] = slim.get("evidence", [])[:-8]
    _drop_words(slim)
    return _count(slim, "lives of messages", len(found)) or bool(gone)


_REDUCERS: Final[dict[int, Callable[[dict[str, Any]], bool]]] = {
    1: _fewer_samples,
    2: _fewer_points,
    3: _fewer_connections,
    4: _fewer("steps", "membership changes"),
    5: _fewer("orders", "order pictures"),
    6: _fewer_in_evidence,
}
