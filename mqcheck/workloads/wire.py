"""Requests by hand, as data: what a broker or NameServer must refuse, and how; bytes that are no frame.

Each question is called by its `probe`, under which guarantees find its answer in ``replies``. Nothing is judged here.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from mqcheck.rocketmq.codes import FRAME_BYTES_MAX, RequestCode
from mqcheck.rocketmq.conversation import Question
from mqcheck.rocketmq.models import Encoding
from mqcheck.rocketmq.names import owned

NOWHERE: Final = "wire-nowhere"
"""A topic, a group and a key that nobody has; with the prefix of the run, where others use the cluster too."""

FAR: Final = 1 << 40
"""An offset beyond every log."""

SYSTEM_TOPIC: Final = "SCHEDULE_TOPIC_XXXX"
"""A topic that takes no messages from clients."""

BODY: Final = b"wire"
"""What the sends carry: 5.4.0 looks at the body first."""

ENCODINGS: Final[tuple[Encoding, ...]] = ("json", "binary")

_BINARY_FIELDS_AT: Final = 13 + 4
"""Where a binary header without remark has its fields' length."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a broker has, and a name that it has not; whole names, all of this run."""

    prefix: str
    topic: str
    queues: int
    group: str
    """A group whose configuration the broker has: an unknown one is a reason of its own to refuse."""

    @property
    def nowhere(self) -> str:
        """A topic, a group and a key that are not there."""
        return owned(self.prefix, NOWHERE)

    @property
    def producers(self) -> str:
        """The group of those who send."""
        return owned(self.prefix, "wire-producers")


def sending(known: Known, topic: str, queue: int = 0) -> dict[str, str]:
    """Header of a SEND_MESSAGE_V2; the default topic is one that does not exist either."""
    return {
        "a": known.producers,
        "b": topic,
        "c": known.nowhere,
        "d": "4",
        "e": str(queue),
        "f": "0",
        "g": "0",
        "h": "0",
        "i": "",
        "j": "0",
        "k": "false",
        "m": "false",
    }


def pulling(known: Known) -> dict[str, str]:
    """Header of a PULL_MESSAGE that is not held and brings its subscription along."""
    return {
        "consumerGroup": known.group,
        "topic": known.topic,
        "queueId": "0",
        "queueOffset": "0",
        "maxMsgNums": "1",
        "sysFlag": "4",
        "commitOffset": "0",
        "suspendTimeoutMillis": "0",
        "subscription": "*",
        "subVersion": "0",
        "expressionType": "TAG",
    }


def broker_refusals(known: Known, encoding: Encoding) -> tuple[Question, ...]:
    """Questions about what is not there, to a broker that has what is known."""
    topic, nowhere = known.topic, known.nowhere
    now = {"topic": nowhere, "queueId": "0"}
    group = {"consumerGroup": nowhere}
    key = {"topic": topic, "key": nowhere, "maxNum": "4", "beginTimestamp": "0", "endTimestamp": str(FAR * 4)}
    back = {"offset": str(FAR), "group": known.group, "delayLevel": "0", "originTopic": topic, "originMsgId": "none"}
    half = {
        "producerGroup": known.producers,
        "tranStateTableOffset": "0",
        "commitLogOffset": str(FAR),
        "commitOrRollback": "8",
        "fromTransactionCheck": "false",
        "msgId": "none",
    }
    asked: tuple[tuple[str, int, Mapping[str, str]], ...] = (
        ("send: no such topic", 310, sending(known, nowhere)),
        ("send: no such queue", 310, sending(known, topic, known.queues)),
        ("send: system topic", 310, sending(known, SYSTEM_TOPIC)),
        ("committed offset: none", 14, {**group, "topic": topic, "queueId": "0"}),
        ("bounds: no such topic", 30, now),
        ("bounds: no such topic", 31, now),
        ("bounds: no such topic", 29, {**now, "timestamp": "0"}),
        ("members: no such group", 38, group),
        ("consumer connections: no such group", 203, group),
        ("producer connections: no such group", 204, {"producerGroup": nowhere}),
        ("topic statistics: no such topic", 202, {"topic": nowhere}),
        ("view: no such message", 33, {"offset": str(FAR)}),
        ("query: no such key", 12, key),
        ("send back: no such message", 36, back),
        ("end transaction: no such message", 37, half),
    )
    return tuple(Question(probe, code, fields, BODY, encoding=encoding) for probe, code, fields in asked)


def heartbeat(known: Known, client: str, encoding: Encoding) -> Question:
    """A producer's heartbeat."""
    body = {"clientID": client, "producerDataSet": [{"groupName": known.producers}], "consumerDataSet": []}
    return Question("heartbeat", int(RequestCode.HEART_BEAT), body=json.dumps(body).encode(), encoding=encoding)


def incomplete(known: Known, encoding: Encoding) -> tuple[Question, ...]:
    """Requests to a broker without a field that they must have."""
    send, pull = sending(known, known.topic), pulling(known)
    return (
        Question("field missing", 310, {name: send[name] for name in send if name != "b"}, encoding=encoding),
        Question("field missing", 11, {name: pull[name] for name in pull if name != "topic"}, encoding=encoding),
        Question("field missing", 30, {"queueId": "0"}, encoding=encoding),
    )


def on_vip_port(known: Known, client: str, encoding: Encoding) -> tuple[Question, ...]:
    """What a broker's VIP port refuses, and what it serves as its main port does."""
    place = {"topic": known.topic, "queueId": "0"}
    asked: tuple[tuple[str, int, Mapping[str, str]], ...] = (
        ("vip: pull", 11, pulling(known)),
        ("vip: pull", 361, pulling(known)),
        ("vip: served", 30, place),
        ("vip: served", 31, place),
        ("vip: served", 29, {**place, "timestamp": "0"}),
        ("vip: send", 310, sending(known, known.nowhere)),
    )
    questions = tuple(Question(probe, code, fields, BODY, encoding=encoding) for probe, code, fields in asked)
    return (*questions, replace(heartbeat(known, client, encoding), probe="vip: served"))


def broken_heartbeat(encoding: Encoding) -> Question:
    """A heartbeat that says nothing."""
    return Question("heartbeat: no body", int(RequestCode.HEART_BEAT), body=b"{", encoding=encoding)


def with_unknown_keys(frame: bytes) -> bytes:
    """A frame with a JSON header that has keys of a later version; one with a binary header stays as it is."""
    if frame[4] != 0:
        return frame
    size = int.from_bytes(frame[5:8], "big")
    header = json.loads(frame[8 : 8 + size])
    more = json.dumps({"later": {"a": [1, "b"]}, "priority": 3, **header}).encode()
    return struct.pack(">II", 4 + len(more) + len(frame) - 8 - size, len(more)) + more + frame[8 + size :]


def bad_frames() -> dict[str, bytes]:
    """Bytes that every version answers by closing the connection, by what is wrong with them."""
    good = Question("", 30, {"topic": NOWHERE, "queueId": "0"}, encoding="binary").frame(1)
    fields = good[: 8 + _BINARY_FIELDS_AT] + b"\x7f\xff\xff\xff" + good[8 + _BINARY_FIELDS_AT + 4 :]
    return {
        "length over the limit": struct.pack(">i", FRAME_BYTES_MAX - 3) + b"\x00" * 60,
        "negative length": b"\xff\xff\xff\xff" + b"\x00" * 60,
        "header longer than frame": struct.pack(">II", 20, 400) + b"{" * 16,
        "no known header encoding": struct.pack(">II", 20, 7 << 24 | 16) + b"\x00" * 16,
        "header is no JSON": struct.pack(">II", 20, 16) + b"{code:nothing at",
        "fields longer than header": fields,
        "another protocol": b"GET / HTTP/1.1\r\nHost: broker\r\n\r\n",
    }
