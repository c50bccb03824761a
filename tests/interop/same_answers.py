"""The same requests, put to two brokers by hand: what a client would see, without what must differ.

A story asks one broker and notes what it saw; two brokers that behave alike make the same notes. Left out are times,
ports and positions in the commit log (delayed messages move them), and the texts of Java's own exceptions.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from reference_impl.frame import Command, FrameReader, encode
from reference_impl.message import (
    Record,
    body_crc,
    decode_offset_message_id,
    decode_properties,
    decode_record,
    encode_properties,
)

ANSWER_S = 15.0
QUIET_S = 0.5
"""How long no answer is waited for where none is to come."""
HALF_TOPIC = "RMQ_SYS_TRANS_HALF_TOPIC"
GIVEN_UP_TOPIC = "TRANS_CHECK_MAX_TIME_TOPIC"
SHARED = (HALF_TOPIC, GIVEN_UP_TOPIC, "SCHEDULE_TOPIC_XXXX")
_JAVA = ("java.", "org.apache.")
_PLACES = ("msgId", "offsetMsgId", "commitLogOffset", "bornHost", "storeHost", "bornTimestamp", "storeTimestamp")


class Talk:
    """One connection to a broker, and the notes of one story."""

    def __init__(self, address: str, notes: list[str] | None = None) -> None:
        host, port = address.split(":")
        self.host, self.port = host, int(port)
        self.notes = [] if notes is None else notes
        self._socket = socket.create_connection((host, self.port), timeout=ANSWER_S)
        self._own = "{}:{}".format(*self._socket.getsockname())
        self._reader = FrameReader()
        self._answers: dict[int, Command] = {}
        self._pushed: list[Command] = []
        self._opaque = 0

    def another(self, port_distance: int = 0) -> Talk:
        """A further connection to the same broker, for the same notes."""
        return Talk(f"{self.host}:{self.port + port_distance}", self.notes)

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def begin(self, code: int, fields: Mapping[str, Any], body: bytes = b"") -> int:
        """Send a request; its opaque."""
        self._opaque += 1
        texts = {name: str(value) for name, value in fields.items()}
        self._socket.sendall(encode(Command(code, self._opaque, 0, texts, body, version=407)))
        return self._opaque

    def wait(self, opaque: int, seconds: float = ANSWER_S) -> Command | None:
        """The answer to a request, None where none comes in time."""
        end = time.monotonic() + seconds
        while opaque not in self._answers and self._more(end):
            pass
        return self._answers.pop(opaque, None)

    def ask(self, code: int, body: bytes = b"", **fields: Any) -> Command:
        """A request that is answered."""
        answer = self.wait(self.begin(code, fields, body))
        assert answer is not None, f"{code} was not answered"
        return answer

    def pushed(self, code: int, seconds: float = ANSWER_S) -> Command | None:
        """The next request of the broker with a code, None where none comes in time."""
        end = time.monotonic() + seconds
        while True:
            for command in self._pushed:
                if command.code == code:
                    self._pushed.remove(command)
                    return command
            if not self._more(end):
                return None

    def answer(self, request: Command, code: int) -> None:
        """Answer a request of the broker."""
        self._socket.sendall(encode(Command(code, request.opaque, 1, version=407)))

    def _more(self, end: float) -> bool:
        left = end - time.monotonic()
        if left <= 0:
            return False
        self._socket.settimeout(left)
        with suppress(TimeoutError):
            data = self._socket.recv(1 << 16)
            assert data, "the broker has closed the connection"
            for command in self._reader.feed(data):
                if command.is_response:
                    self._answers[command.opaque] = command
                else:
                    self._pushed.append(command)
        return True

    def note(self, label: str, *values: object) -> None:
        """Remember what was seen."""
        self.notes.append(f"{label}: " + " | ".join(map(str, values)))

    def note_command(self, label: str, command: Command | None) -> None:
        """Remember an answer, or a request of the broker."""
        if command is None:
            self.note(label, "nothing")
            return
        fields = {name: "…" if name in _PLACES else value for name, value in sorted(command.fields.items())}
        if "properties" in fields:
            fields["properties"] = _sorted(decode_properties(fields["properties"]), "PUSH_REPLY_TIME")
        remark = "…" if (command.remark or "").startswith(_JAVA) else (command.remark or "").replace(self._own, "…")
        self.note(label, command.code, remark, fields, command.flag)

    def note_record(self, label: str, record: Record, *without: str) -> None:
        """Remember a stored record, ``without`` some of its properties. Offsets of queues that stories share are left
        out: half messages of one are asked about while the next is told.
        """
        offset = "…" if record.topic in SHARED else record.queue_offset
        place = (record.topic, record.queue_id, offset, hex(record.sys_flag), record.flag)
        more = (record.reconsume_times, record.crc == body_crc(record.body), record.born_host[0])
        self.note(label, *place, *more, record.body, _sorted(record.properties, "ORIGIN_MESSAGE_ID", *without))

    def topic(self, name: str, queues: int = 4) -> None:
        """Make a topic."""
        fields = {"topic": name, "defaultTopic": "TBW102", "readQueueNums": queues, "writeQueueNums": queues, "perm": 6}
        self.ask(17, **fields, topicFilterType="SINGLE_TAG", topicSysFlag=0, order="false")

    def send(
        self, topic: str, body: bytes, queue: int = 0, properties: Mapping[str, str] | None = None, **more: Any
    ) -> Command:
        """One message; fields by their short names."""
        return self.ask(more.pop("code", 310), body, **send_fields(topic, queue, properties or {}) | more)

    def heartbeat(self, client: str, producers: tuple[str, ...] = (), consumers: tuple[str, ...] = ()) -> Command:
        """Say who lives here."""
        rest = {"consumeType": "CONSUME_PASSIVELY", "messageModel": "CLUSTERING", "unitMode": False}
        rest |= {"consumeFromWhere": "CONSUME_FROM_LAST_OFFSET", "subscriptionDataSet": []}
        groups = {
            "producerDataSet": [{"groupName": group} for group in producers],
            "consumerDataSet": [{"groupName": group} | rest for group in consumers],
        }
        return self.ask(34, json.dumps({"clientID": client} | groups).encode())

    def record_of(self, sent: Command) -> Record:
        """The record that an answered send has stored."""
        _, position = decode_offset_message_id(sent.fields["msgId"])
        return decode_record(self.ask(33, offset=position).body)

    def pull(self, topic: str, queue: int, at_least: int = 0, key: str | None = None) -> list[Record]:
        """Records of a queue, all or those with a unique key, once there are so many: a real broker needs a moment."""
        end = time.monotonic() + ANSWER_S
        while True:
            found = [one for one in self._pull_all(topic, queue) if key in (None, one.properties.get("UNIQ_KEY"))]
            if len(found) >= at_least:
                return found
            assert time.monotonic() < end, f"{len(found)} of {at_least} records in {topic}:{queue}"
            time.sleep(0.01)

    def _pull_all(self, topic: str, queue: int) -> list[Record]:
        found: list[Record] = []
        offset = 0
        while (answer := self.ask(11, **pull_fields(topic, queue, offset))).code == 0:
            found += records_of(answer.body)
            offset = int(answer.fields["nextBeginOffset"])
        return found


def pull_fields(topic: str, queue: int = 0, offset: int = 0) -> dict[str, Any]:
    """Header of a pull that is not held and brings its subscription."""
    fields = {"consumerGroup": "G", "topic": topic, "queueId": queue, "queueOffset": offset, "maxMsgNums": 32}
    rest = {"sysFlag": 4, "commitOffset": 0, "suspendTimeoutMillis": 0, "subVersion": 0, "subscription": "*"}
    return fields | rest


def send_fields(topic: str, queue: int, properties: Mapping[str, str]) -> dict[str, Any]:
    """Header of a send, version 2."""
    now_ms = time.time_ns() // 1_000_000
    head = {"a": "P", "b": topic, "c": "TBW102", "d": 4, "e": queue, "f": 0, "g": now_ms, "h": 0}
    return head | {"i": encode_properties(properties), "j": 0, "k": "false", "m": "false"}


def records_of(data: bytes) -> list[Record]:
    """Records that stand back to back."""
    found, at = [], 0
    while at < len(data):
        found.append(decode_record(data, at))
        at += found[-1].size
    return found


def _sorted(properties: Mapping[str, str], *without: str) -> str:
    return " ".join(f"{name}={value}" for name, value in sorted(properties.items()) if name not in without)
