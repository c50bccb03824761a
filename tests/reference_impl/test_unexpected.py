"""An exception that no handler may raise: code 1, a line in the log, a figure, and the broker goes on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from reference_impl.effects import Reply, Report
from reference_impl.frame import FLAG_ONEWAY, Command
from reference_impl.nameserver import NameServerCore
from reference_impl.nameserver.core import HANDLERS as NAMESRV_HANDLERS
from reference_impl.settings import NameServerSettings

if TYPE_CHECKING:
    from conftest import Bench
else:
    Bench = Any


def broken(*_: object) -> Any:
    raise KeyError("k")


def test_a_broker_tells_it(bench: type[Bench], monkeypatch: pytest.MonkeyPatch) -> None:
    from reference_impl.broker.core import HANDLERS

    b = bench()
    monkeypatch.setitem(HANDLERS, 30, broken)
    reply, report = b.core.request(b.now_ms, 1, ("h", 1), Command(30, 7))
    assert isinstance(reply, Reply)
    assert isinstance(report, Report)
    assert (reply.command.code, reply.command.remark, reply.command.opaque) == (1, "KeyError: 'k'", 7)
    assert report.line.startswith("request 30 was not expected to fail:\nTraceback")
    (alone,) = b.core.request(b.now_ms, 1, ("h", 1), Command(30, 8, FLAG_ONEWAY))
    assert isinstance(alone, Report)
    assert json.loads(b.ask(28).body)["table"]["reference.unexpectedErrors"] == "2"


def test_a_nameserver_tells_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(NAMESRV_HANDLERS, 105, broken)
    core = NameServerCore(NameServerSettings())
    report, reply = core.request(1, 1, ("h", 1), Command(105, 7))
    assert isinstance(report, Report)
    assert isinstance(reply, Reply)
    assert (reply.command.code, reply.command.remark) == (1, "KeyError: 'k'")
