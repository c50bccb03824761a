"""The control socket's deeds for tests, on a real process: time that passes, and frames that fare badly."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reference_impl.frame import Command, FrameReader, encode

DEADLINE_S = 20.0
HOURS_MS = 3_600_000


class Served:
    """One process with both roles, a control socket and a connection to its broker."""

    def __init__(self, folder: Path, *arguments: str, role: str = "all") -> None:
        self.control, theirs = socket.socketpair()
        self.control.settimeout(DEADLINE_S)
        command = [sys.executable, "-m", "reference_impl", role, "--control", str(theirs.fileno()), *arguments]
        ports = ["listenPort=0"] if role == "namesrv" else ["namesrv.listenPort=0", "broker.listenPort=0"]
        if role == "all":
            ports.append(f"storePathRootDir={folder}")
        command += [word for port in ports for word in ("-p", port)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, pass_fds=(theirs.fileno(),))
        theirs.close()
        assert self.process.stdout is not None
        ready = json.loads(self.process.stdout.readline())
        self.nameserver = ready["address"]
        host, _, port = ready.get("broker", ready)["address"].rpartition(":")
        self.line = socket.create_connection((host, int(port)), DEADLINE_S)
        self.reader = FrameReader()

    def do(self, **line: Any) -> dict[str, Any]:
        self.control.sendall(json.dumps(line).encode() + b"\n")
        data = b""
        while not data.endswith(b"\n"):
            data += self.control.recv(65536)
        found: dict[str, Any] = json.loads(data)
        return found

    def ask(self, code: int, body: bytes = b"", opaque: int = 1, **fields: Any) -> Command:
        texts = {key: str(value) for key, value in fields.items()}
        self.line.sendall(encode(Command(code, opaque, 0, texts, body)))
        while True:
            for command in self.reader.feed(self.line.recv(65536)):
                if command.opaque == opaque and command.is_response:
                    return command

    def send(self, topic: str, body: bytes, opaque: int = 1, **properties: Any) -> Command:
        text = "".join(f"{key}\x01{value}\x02" for key, value in properties.items())
        born = time.time_ns() // 1_000_000
        fields = {"a": "P", "b": topic, "c": "TBW102", "d": 1, "e": 0, "f": 0, "g": born, "h": 0, "i": text}
        return self.ask(310, body, opaque, **fields)

    def end_of(self, topic: str) -> int:
        answer = self.ask(30, topic=topic, queueId=0)
        return int(answer.fields["offset"]) if answer.code == 0 else 0

    def close(self) -> None:
        self.line.close()
        self.control.close()
        self.process.terminate()
        self.process.communicate(timeout=DEADLINE_S)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    made = Served(tmp_path)
    yield made
    made.close()


def test_a_delayed_message_comes_when_its_time_is_made_to_pass(served: Served) -> None:
    assert served.send("T", b"later", DELAY=18).code == 0
    assert served.end_of("T") == 0
    assert served.do(do="advance", ms=2 * HOURS_MS - 60_000) == {"ok": True, "ahead_ms": 2 * HOURS_MS - 60_000}
    assert served.end_of("T") == 0
    assert served.do(do="advance", ms=61_000)["ok"]
    assert served.end_of("T") == 1


def test_nobody_expires_by_it_unless_asked(served: Served) -> None:
    heartbeat = {
        "clientID": "c",
        "producerDataSet": [],
        "consumerDataSet": [
            {
                "groupName": "G",
                "consumeType": "CONSUME_PASSIVELY",
                "messageModel": "CLUSTERING",
                "consumeFromWhere": "CONSUME_FROM_LAST_OFFSET",
                "subscriptionDataSet": [],
            }
        ],
    }
    assert served.ask(34, json.dumps(heartbeat).encode()).code == 0
    assert served.do(do="advance", ms=48 * HOURS_MS)["ok"]
    assert json.loads(served.ask(38, consumerGroup="G").body)["consumerIdList"] == ["c"]
    host, _, port = served.nameserver.rpartition(":")
    with socket.create_connection((host, int(port)), DEADLINE_S) as line:
        line.sendall(encode(Command(105, fields={"topic": "TBW102"})))
        reader = FrameReader()
        while not (found := reader.feed(line.recv(65536))):
            pass
    assert found[0].code == 0, "the broker is still in the routes"
    assert served.do(do="advance", ms=HOURS_MS, expire=True)["ok"]
    with pytest.raises(OSError, match="closed"):
        # Its connection is closed with it.
        served.line.settimeout(DEADLINE_S)
        raise OSError("closed") if not served.line.recv(65536) else AssertionError("still connected")


def test_the_clock_goes_back_and_starts_ahead(tmp_path: Path) -> None:
    served = Served(tmp_path, "--clock-ahead", str(5 * HOURS_MS))
    try:
        stored = served.send("T", b"x")
        assert served.do(do="advance", to_ms=0) == {"ok": True, "ahead_ms": 0}
        assert served.do(do="advance", ms=0)["ahead_ms"] == 0
        assert stored.code == 0
        assert served.do(do="empty")["ok"]
        assert served.send("T", b"now", DELAY=1).code == 0
        assert served.do(do="advance", ms=2_000)["ok"]
        assert served.end_of("T") == 1
    finally:
        served.close()


def test_the_answer_of_a_send_is_lost(served: Served) -> None:
    rule = {"verb": "drop", "side": "response", "codes": [10, 310], "topic": "T", "nth": 2}
    number = served.do(do="frames", begin=rule)["rule"]
    assert served.send("T", b"1", opaque=1).code == 0
    served.line.sendall(
        encode(Command(310, 2, 0, dict.fromkeys("defgh", "0") | {"a": "P", "b": "T", "c": "TBW102"}, b"2"))
    )
    assert served.send("T", b"3", opaque=3).code == 0
    assert served.do(do="frames", counts=number) == {"ok": True, "seen": 3, "acted": 1}
    assert served.do(do="frames", end=number) == {"ok": True, "seen": 3, "acted": 1}
    assert served.end_of("T") == 3
    assert "no rule" in served.do(do="frames", end=number)["error"]


def test_a_held_request_is_served_when_the_rule_ends(served: Served) -> None:
    number = served.do(do="frames", of="broker", begin={"verb": "hold", "side": "request", "codes": [30]})["rule"]
    assert served.send("T", b"x").code == 0
    served.line.sendall(encode(Command(30, 9, 0, {"topic": "T", "queueId": "0"})))
    while served.do(do="frames", counts=number)["acted"] == 0:
        pass
    assert served.do(do="frames", end=number)["acted"] == 1
    assert served.reader.feed(served.line.recv(65536))[0].opaque == 9


def test_a_nameserver_alone_has_frames_too(tmp_path: Path) -> None:
    served = Served(tmp_path, role="namesrv")
    try:
        number = served.do(do="frames", begin={"verb": "refuse", "side": "request", "codes": [106], "code": 1})["rule"]
        assert served.ask(106).code == 1
        assert served.ask(106).code == 0
        assert served.do(do="frames", end=number)["acted"] == 1
        assert "broker or namesrv" in served.do(do="frames", of="broker", begin={})["error"]
    finally:
        served.close()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ({"do": "advance"}, "whole number"),
        ({"do": "advance", "ms": "2h"}, "whole number"),
        ({"do": "advance", "ms": 1, "by": 1}, "whole number"),
        ({"do": "advance", "ms": 10**15}, "at most"),
        ({"do": "frames"}, "begin"),
        ({"do": "frames", "begin": {"verb": "x", "side": "request"}}, "verb"),
        ({"do": "frames", "of": "me", "counts": 1}, "broker or namesrv"),
    ],
)
def test_a_line_that_makes_no_sense_is_refused(served: Served, line: dict[str, Any], says: str) -> None:
    answer = served.do(**line)
    assert not answer["ok"]
    assert says in answer["error"]
