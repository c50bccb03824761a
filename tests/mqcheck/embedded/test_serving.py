"""What can be served, and what is refused before anything starts."""

from __future__ import annotations

import json
import os
import socket
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mqcheck import exits
from mqcheck.cli import main
from mqcheck.embedded.command_line import settings_of, told
from mqcheck.embedded.serving import Served, Wanted, _refuse_taken_ports, _sole_user
from mqcheck.errors import SettingsError
from mqcheck.guard import start_time
from mqcheck.targets.ports import HeldPorts


def test_ports_are_rocketmqs_own_unless_free_ones_are_wanted() -> None:
    wanted = Wanted(nameservers=2, brokers=2, slaves=1)
    assert list(wanted.nameserver_ports) == [9876, 9877]
    assert list(wanted.broker_ports) == [10911, 10921, 10931, 10941]
    assert list(Wanted(port=0).nameserver_ports) == list(Wanted(port=0).broker_ports) == []
    assert list(Wanted(port=0, broker_port=7000).broker_ports) == [7000]
    assert list(Wanted(broker_port=0).broker_ports) == []


@pytest.mark.parametrize(
    ("wanted", "shown"),
    [
        ({}, "127.0.0.1"),
        ({"host": "0.0.0.0"}, "127.0.0.1"),
        ({"host": "10.0.0.5"}, "10.0.0.5"),
        ({"host": "0.0.0.0", "advertise": "rocketmq"}, "rocketmq"),
    ],
)
def test_clients_are_told_what_they_can_reach(wanted: dict[str, Any], shown: str) -> None:
    assert Wanted(**wanted).shown_host == shown


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["-p", "maxMessageSize"], "-p 'maxMessageSize' is no KEY=VALUE, such as maxMessageSize=1024"),
        (
            ["-p", "broker.listenPort=3"],
            "the setting broker.listenPort is decided by --port and --broker-port: use that",
        ),
        (["--port", "70000"], "--port 70000 is no port: 0 (a free one) to 65535"),
        (
            ["--port", "9000", "--broker-port", "9000"],
            "port 9000 is wanted twice, by the NameServer and the broker at 90",
        ),
        (
            ["--port", "0", "--broker-port", "2"],
            "the broker at 2 would need port 0, which there is not: --broker-port lea",
        ),
        (["--host", "nowhere.invalid"], "--host 'nowhere.invalid' is no IPv4 address or name"),
        (["--host", "192.0.2.1"], "cannot listen on port 9876 of 192.0.2.1, for the NameServer: "),
        (["--port", "0", "--data", "/dev/null/x"], "--data /dev/null/x cannot be a folder: "),
        (["--port", "0", "--brokers", "0"], "brokers is 0: a whole number from 1 to 26"),
        (["--port", "0", "-p", "namesrv.maxMesageSize=7"], "nameserver-1 refused what it was started with: "),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else "",
)
def test_misuse_is_told_and_nothing_is_left(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert main(["serve", *arguments]) == exits.USAGE
    said = capsys.readouterr()
    assert says in said.err
    assert said.out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("distance", [0, -2, 1])
def test_every_port_of_a_broker_is_looked_at(distance: int) -> None:
    held = HeldPorts(broker=True)
    with closing(held), socket.socket() as taken:
        _refuse_taken_ports(Wanted(port=0, broker_port=held.port))
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", held.port + distance))
        taken.listen()
        told = rf"port {held.port + distance} of 127\.0\.0\.1, for the broker at {held.port}, is in use"
        with pytest.raises(SettingsError, match=told):
            _refuse_taken_ports(Wanted(port=0, broker_port=held.port))


def test_nodes_of_a_killed_user_are_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mqcheck.embedded.serving.LEFTOVER_SECONDS_MAX", 0.0)
    note = tmp_path / "serve.lock"
    note.write_text(json.dumps({os.getpid(): start_time(os.getpid())}), encoding="utf-8")
    with (
        pytest.raises(SettingsError, match=rf"is in use by the processes {os.getpid()} of an earlier"),
        _sole_user(tmp_path),
    ):
        pass
    for harmless in ("", "{", "[]", json.dumps({os.getpid(): "another time: the number came again"})):
        note.write_text(harmless, encoding="utf-8")
        with _sole_user(tmp_path):
            pass


def test_settings_and_what_is_told() -> None:
    assert settings_of(["a=1", "b=x=y", "c="]) == {"a": "1", "b": "x=y", "c": ""}
    served = Served("h:1", {"broker-a": "h:2"}, {"broker-a": 7}, None)
    assert "messages are gone at the end" in told(served)
    assert "h:1; broker-a h:2" in told(served)
    assert "kept in /shop" in told(Served("h:1", {}, {}, "/shop"))
