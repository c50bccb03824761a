"""Planted bugs of delayed messages: each breaks its promise, and only with it."""

from __future__ import annotations

from typing import Any

import pytest

from reference_impl.sabotage import SABOTAGES
from reference_impl.sabotage.delay import LOSE_EVERY

Bench = Any


def planted(name: str, on: bool) -> list[Any]:
    return [SABOTAGES[name]] if on else []


@pytest.mark.parametrize("bug", [False, True])
@pytest.mark.parametrize("properties", [{"DELAY": "3"}, {"KEYS": "k", "DELAY": "16", "WAIT": "true"}])
def test_deliver_early(bench: type[Bench], bug: bool, properties: dict[str, str]) -> None:
    b = bench(planted=planted("deliver-early", bug))
    b.send("T", b"later", properties=properties)
    b.send("T", b"now", properties={"KEYS": "DELAY"})
    b.advance(2_000)
    assert b.bodies("T") == ([b"now", b"later"] if bug else [b"now"])


@pytest.mark.parametrize("bug", [False, True])
def test_lose_delayed(bench: type[Bench], bug: bool) -> None:
    b = bench(planted=planted("lose-delayed", bug))
    sent = [b"%d" % number for number in range(2 * LOSE_EVERY)]
    for body in sent:
        assert b.send("T", body, properties={"DELAY": "1"}).code == 0
        b.send("T", b"at once")
    b.advance(3_000)
    came = [body for body in b.bodies("T") if body != b"at once"]
    assert len(sent) - len(came) == (2 if bug else 0)
    assert b.bodies("T").count(b"at once") == len(sent)
    fields = {"offset": b.records("T")[0].physical_offset, "group": "G", "delayLevel": 1}
    for _ in range(LOSE_EVERY):
        b.ask(36, fields)
    b.advance(3_000)
    assert len(b.bodies("%RETRY%G")) == LOSE_EVERY, "retries are not its business"


@pytest.mark.parametrize("bug", [False, True])
def test_deliver_late(bench: type[Bench], bug: bool) -> None:
    b = bench(planted=planted("deliver-late", bug), messageDelayLevel="1s 2s 3s 4s 5s 6s 7s 8s 9s 10s 11s 12s")
    b.send("T", b"later", properties={"KEYS": "k", "DELAY": "1", "WAIT": "true"})
    b.send("T", b"now", properties={"KEYS": "DELAY"})
    b.advance(10_900)
    assert b.bodies("T") == ([b"now"] if bug else [b"now", b"later"])
    b.advance(300)
    assert b.bodies("T") == [b"now", b"later"]


@pytest.mark.parametrize("bug", [False, True])
def test_clamp_low(bench: type[Bench], bug: bool) -> None:
    b = bench(planted=planted("clamp-low", bug), messageDelayLevel="1s 5s")
    for level in ("1", "2", "3", "-1"):
        b.send("T", level.encode(), properties={"DELAY": level})
    b.advance(2_000)
    assert b.bodies("T") == ([b"-1", b"1", b"3"] if bug else [b"-1", b"1"])
    b.advance(4_000)
    assert sorted(b.bodies("T")) == [b"-1", b"1", b"2", b"3"]


@pytest.mark.parametrize("bug", [False, True])
def test_delay_negative(bench: type[Bench], bug: bool) -> None:
    b = bench(planted=planted("delay-negative", bug))
    for level in ("-1", "0", "2"):
        b.send("T", level.encode(), properties={"DELAY": level})
    assert b.bodies("T") == ([] if bug else [b"-1", b"0"])
    b.advance(2_000)
    assert b.bodies("T") == [b"-1", b"0"]


@pytest.mark.parametrize("bug", [False, True])
def test_wake_in_first_queue(bench: type[Bench], bug: bool) -> None:
    b = bench(planted=planted("wake-in-first-queue", bug))
    b.send("T", b"later", 2, properties={"DELAY": "1"})
    b.send("T", b"now", 2)
    b.advance(2_000)
    assert (b.bodies("T", 0), b.bodies("T", 2)) == (([b"later"], [b"now"]) if bug else ([], [b"now", b"later"]))


@pytest.mark.parametrize("bug", [False, True])
def test_forget_delayed(bench: type[Bench], bug: bool) -> None:
    b = bench(planted=planted("forget-delayed", bug))
    b.send("T", b"before", properties={"DELAY": "2"})
    b.advance(1_000)
    b.restart()
    b.send("T", b"after", properties={"DELAY": "2"})
    b.advance(9_000)
    assert b.bodies("T") == ([b"after"] if bug else [b"before", b"after"])
