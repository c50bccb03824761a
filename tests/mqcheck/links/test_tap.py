"""Registrations become spans, and the connections that carried them rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mqcheck.history.recorder import Recorder
from mqcheck.links import tap
from mqcheck.links.tap import RegistrationTap
from mqcheck.rocketmq.frame import Command


class Clock:
    def __init__(self) -> None:
        self.now = 0

    def monotonic_ns(self) -> int:
        self.now += 1
        return self.now

    def wall_ms(self) -> int:
        return 0


@pytest.fixture
def recorder(tmp_path: Path) -> Any:
    recorder = Recorder(tmp_path, run="r", process="kit", number=0, clock=Clock())
    yield recorder
    recorder.close()


def lines(recorder: Recorder, table: str) -> list[dict[str, Any]]:
    entries = map(json.loads, recorder.path.read_text(encoding="utf-8").splitlines())
    return [entry for entry in entries if entry["e"] == table]


def register(opaque: int, code: int = 103, flag: int = 0, broker_id: str = "0") -> Command:
    return Command(code, opaque, flag, {"brokerName": "broker-a", "brokerId": broker_id})


def test_a_registration_is_a_span_around_the_nameservers_doing(recorder: Recorder) -> None:
    connection = RegistrationTap(recorder, "broker-a->nameserver-1", "broker-a", "nameserver-1").connected()
    connection.request(register(7, broker_id="1"))
    connection.answer(Command(0, 8, 1))
    connection.answer(Command(0, 7, 1, {"masterAddr": "h:1", "haServerAddr": "h:2"}))
    connection.answer(Command(0, 7, 1))
    connection.closed("peer")
    connection.closed("us")
    began, ended = lines(recorder, "registrations")
    assert (began["w"], began["kind"], began["node"], began["nameserver"]) == (
        "b",
        "register",
        "broker-a",
        "nameserver-1",
    )
    assert (began["broker"], began["broker_id"]) == ("broker-a", 1)
    assert (ended["w"], ended["op"], ended["outcome"], ended["code"]) == ("e", began["op"], "ok", 0)
    assert (ended["master_address"], ended["ha_address"]) == ("h:1", "h:2")
    opened, closed = lines(recorder, "connections")
    assert opened["opened"] < began["t"] < ended["t"] < closed["closed"]
    assert (opened["conn"], opened["link"], closed["closed_by"]) == (opened["op"], "broker-a->nameserver-1", "peer")


@pytest.mark.parametrize(("code", "kind"), [(104, "unregister"), (205, "wipe"), (322, "version-query")])
def test_other_kinds_and_refusals(recorder: Recorder, code: int, kind: str) -> None:
    connection = RegistrationTap(recorder, "l", "n", "ns").connected()
    connection.request(Command(code, 1, 0, {"brokerId": "no number"}))
    connection.answer(Command(1, 1, 1))
    began, ended = lines(recorder, "registrations")
    assert (began["kind"], ended["outcome"], ended["code"]) == (kind, "error", 1)
    assert "broker_id" not in began


def test_what_is_no_registration_leaves_no_trace(recorder: Recorder) -> None:
    connection = RegistrationTap(recorder, "l", "n", "ns").connected()
    connection.request(Command(105, 1))
    connection.answer(Command(0, 1, 1))
    connection.closed("peer")
    assert lines(recorder, "registrations") == lines(recorder, "connections") == []


def test_one_way_and_forgotten_registrations_stay_unknown(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tap, "OPEN_REGISTRATIONS_MAX", 1)
    connection = RegistrationTap(recorder, "l", "n", "ns").connected()
    connection.request(register(1, flag=2))
    connection.request(register(2))
    connection.request(register(3))
    for opaque in (1, 2, 3):
        connection.answer(Command(0, opaque, 1))
    assert [line["w"] for line in lines(recorder, "registrations")] == ["b", "b", "b", "e"]


def test_after_the_history_is_closed_nothing_is_written(recorder: Recorder) -> None:
    connection = RegistrationTap(recorder, "l", "n", "ns").connected()
    connection.request(register(1))
    recorder.close()
    connection.answer(Command(0, 1, 1))
    connection.request(register(2))
    connection.closed("us")
    assert len(lines(recorder, "registrations")) == 1
