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
