"""The planted bugs of groups: who is listed, told and kept."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reference_impl.sabotage import SABOTAGES

Bench = Any


def planted(name: str, bug: bool) -> list[Any]:
    return [SABOTAGES[name]] if bug else []


def members(b: Bench, conn: int = 9) -> list[str]:
    answer = b.ask(38, {"consumerGroup": "G"}, conn=conn)
    return json.loads(answer.body)["consumerIdList"] if answer.code == 0 else []


@pytest.mark.parametrize("bug", [False, True])
def test_forget_newest_member(bench: type[Bench], bug: bool) -> None:
    b = bench(planted=planted("forget-newest-member", bug))
    b.heartbeat(1, "G")
    assert members(b) == ["c1"]
    b.heartbeat(2, "G")
    assert members(b) == (["c1"] if bug else ["c1", "c2"])


@pytest.mark.parametrize("bug", [False, True])
def test_list_asker_alone(bench: type[Bench], bug: bool) -> None:
    b = bench(planted=planted("list-asker-alone", bug))
    for conn in (1, 2):
        b.heartbeat(conn, "G")
    assert members(b, 2) == (["c2"] if bug else ["c1", "c2"])
    assert members(b) == ["c1", "c2"], "who is no member is told the truth"


@pytest.mark.parametrize("bug", [False, True])
def test_ignore_leave(bench: type[Bench], bug: bool) -> None:
    b = bench(planted=planted("ignore-leave", bug))
    for conn in (1, 2):
        b.heartbeat(conn, "G")
    assert b.ask(35, {"clientID": "c2", "consumerGroup": "G"}, conn=2).code == 0
    assert members(b) == (["c1", "c2"] if bug else ["c1"])


@pytest.mark.parametrize("bug", [False, True])
def test_keep_closed_members(bench: type[Bench], bug: bool) -> None:
    b = bench(planted=planted("keep-closed-members", bug))
    for conn in (1, 2, 3):
        b.heartbeat(conn, "G")
    b.ask(35, {"clientID": "c3", "consumerGroup": "G"}, conn=3)
    b.close(3)
    b.close(2)
    assert members(b) == (["c1", "c2"] if bug else ["c1"])
    b.advance(200_000)
    assert "c2" not in members(b), "it expires as any silent member"


@pytest.mark.parametrize("bug", [False, True])
def test_never_notify(bench: type[Bench], bug: bool) -> None:
    b = bench(planted=planted("never-notify", bug))
    for conn in (1, 2):
        b.heartbeat(conn, "G")
    assert b.notified() == ([] if bug else [1, 1, 2])
