"""Requests with one field in a bad way, put to two servers: with which code each of them answers.

``BROKER`` and ``NAMESRV`` hold a good request of each code; ``WAYS`` are the ways in which a field of a type goes bad.
What is compared is the code of the answer: the texts of Java's own exceptions are nobody's contract.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from same_answers import Talk

TOPIC, GROUP = "BadFields", "BadGroup"
QUIET_S = 1.5
"""How long an answer is waited for; a broker that gives none is written down as such."""
TEXT, INT, LONG, BOOL = "text", "int", "long", "bool"
_NUMBERS: tuple[str | None, ...] = (
    None, "", "abc", " 1", "1 ", "1_0", "+1", "-1", "1.0", "0x1", "true", "+", "-", "--1", "007",
    "\u0663", "99999999999999999999", "x" * 5000,
)  # fmt: skip
_INTS = ("2147483647", "2147483648", "-2147483648", "-2147483649")
_LONGS = ("9223372036854775807", "9223372036854775808", "-9223372036854775809")
WAYS: Mapping[str, tuple[str | None, ...]] = {
    TEXT: (None, ""),
    INT: _NUMBERS + _INTS,
    LONG: _NUMBERS + _LONGS,
    BOOL: (None, "", "TRUE", "yes", "1"),
}
"""Values by type; None leaves the field out."""


@dataclass(frozen=True, slots=True)
class Good:
    """A request that is served."""

    code: int
    fields: Mapping[str, tuple[str, str]]
    """Type and value by name."""
    body: bytes = b""
    spared: tuple[str, ...] = ()
    """Fields that are not made bad: what would be answered then is a matter of time or of chance."""

    def texts(self) -> dict[str, str]:
        """The header as it is sent."""
        return {name: value for name, (_, value) in self.fields.items()}

    def bad(self) -> Iterator[tuple[str, dict[str, str]]]:
        """A name and a header for each way in which one field goes bad."""
        for name, (kind, _) in self.fields.items():
            if name in self.spared:
                continue
            for value in WAYS[kind]:
                texts = self.texts() | ({} if value is None else {name: value})
                if value is None:
                    del texts[name]
                yield f"{self.code} {name}={'(missing)' if value is None else repr(value[:24])}", texts


def _fields(said: str) -> dict[str, tuple[str, str]]:
    """Fields from words such as ``int:queueId=0``."""
    parts = (word.partition(":") for word in said.split())
    return {rest.partition("=")[0]: (kind, rest.partition("=")[2]) for kind, _, rest in parts}


_SEND = (
    "text:producerGroup=P text:topic=BadFields text:defaultTopic=TBW102 int:defaultTopicQueueNums=4 int:queueId=0 "
    "int:sysFlag=0 long:bornTimestamp=1700000000000 int:flag=0 text:properties= int:reconsumeTimes=0 "
    "bool:unitMode=false int:maxReconsumeTimes=3 bool:batch=false"
)
_SEND_V2 = (
    "text:a=P text:b=BadFields text:c=TBW102 int:d=4 int:e=0 int:f=0 long:g=1700000000000 int:h=0 text:i= int:j=0 "
    "bool:k=false int:l=3 bool:m=false"
)
_QUEUE = "text:topic=BadFields int:queueId=0"
BROKER = (
    Good(10, _fields(_SEND), b"x"),
    Good(310, _fields(_SEND_V2), b"x"),
    Good(324, _fields(_SEND), b"x"),
    Good(325, _fields(_SEND_V2), b"x"),
    Good(
        11,
        _fields(
            "text:consumerGroup=BadGroup text:topic=BadFields int:queueId=0 long:queueOffset=0 int:maxMsgNums=4 "
            "int:sysFlag=4 long:commitOffset=0 long:suspendTimeoutMillis=0 long:subVersion=0 text:subscription=* "
            "text:expressionType=TAG"
        ),
    ),
    Good(
        12,
        _fields(
            "text:topic=BadFields text:key=k int:maxNum=3 long:beginTimestamp=0 long:endTimestamp=9000000000000 "
            "bool:_UNIQUE_KEY_QUERY=false"
        ),
    ),
    Good(14, _fields(f"text:consumerGroup=BadGroup {_QUEUE}")),
    Good(15, _fields(f"text:consumerGroup=BadGroup {_QUEUE} long:commitOffset=1")),
    Good(
        17,
        _fields(
            "text:topic=BadMade text:defaultTopic=TBW102 int:readQueueNums=2 int:writeQueueNums=2 int:perm=6 "
            "text:topicFilterType=SINGLE_TAG int:topicSysFlag=0 bool:order=false"
        ),
    ),
    Good(29, _fields(f"{_QUEUE} long:timestamp=0")),
    Good(30, _fields(_QUEUE)),
    Good(31, _fields(_QUEUE)),
    Good(32, _fields(_QUEUE)),
    Good(33, _fields("long:offset=0")),
    Good(35, _fields("text:clientID=c text:producerGroup=P text:consumerGroup=BadGroup")),
    Good(
        36,
        _fields(
            "long:offset=0 text:group=BadGroup int:delayLevel=1 text:originMsgId=m text:originTopic=BadFields "
            "bool:unitMode=false int:maxReconsumeTimes=3"
        ),
    ),
    Good(
        37,
        _fields(
            "text:producerGroup=P long:tranStateTableOffset=0 long:commitLogOffset=0 int:commitOrRollback=8 "
            "bool:fromTransactionCheck=false text:msgId=m text:transactionId=t"
        ),
    ),
    Good(38, _fields("text:consumerGroup=Nobody")),
    Good(202, _fields("text:topic=BadFields")),
    Good(203, _fields("text:consumerGroup=Nobody")),
    Good(204, _fields("text:producerGroup=Nobody")),
    Good(207, _fields("text:groupName=Unwanted bool:removeOffset=true")),
    Good(208, _fields("text:consumerGroup=BadGroup text:topic=BadFields")),
    Good(215, _fields("text:topic=BadGone")),
    Good(222, _fields("text:topic=BadFields text:group=BadGroup long:timestamp=-1 bool:isForce=true")),
    Good(223, _fields("text:topic=BadFields text:group=BadGroup text:clientAddr=c")),
    Good(300, _fields("text:topic=BadFields")),
    Good(303, _fields("text:topic=BadFields text:group=BadGroup")),
    Good(307, _fields("text:consumerGroup=Nobody text:clientId=c bool:jstackEnable=false")),
    Good(309, _fields("text:consumerGroup=Nobody text:clientId=c text:msgId=m text:brokerName=broker-a")),
    Good(314, _fields("text:srcGroup=BadGroup text:destGroup=Cloned text:topic=BadFields bool:offline=true")),
    Good(315, _fields("text:statsName=TOPIC_PUT_NUMS text:statsKey=BadNothing")),
    Good(317, _fields("bool:isOrder=false")),
    Good(321, _fields(f"{_QUEUE} long:index=0 int:count=1 text:consumerGroup=BadGroup")),
    Good(323, _fields("text:msgId=m")),
)
"""What a broker serves that has a header, by code."""
_IDENTITY = "text:brokerName=b text:brokerAddr=127.0.0.1:1 text:clusterName=C long:brokerId=0"
_VERSION = json.dumps({"timestamp": 1, "counter": 1}).encode()
_TOPICS = json.dumps({"filterServerList": [], "topicConfigSerializeWrapper": {
    "dataVersion": {"timestamp": 1, "counter": 1}, "topicConfigTable": {}}}).encode()  # fmt: skip
NAMESRV = (
    Good(100, _fields("text:namespace=n text:key=k text:value=v")),
    Good(101, _fields("text:namespace=n text:key=k")),
    Good(102, _fields("text:namespace=n text:key=other")),
    Good(219, _fields("text:namespace=n")),
    Good(103, _fields(f"{_IDENTITY} text:haServerAddr=127.0.0.1:2 bool:compressed=false int:bodyCrc32=0"), _TOPICS),
    Good(322, _fields(_IDENTITY), _VERSION),
    Good(104, _fields(_IDENTITY)),
    Good(105, _fields("text:topic=NoSuch bool:acceptStandardJsonOnly=true")),
    Good(205, _fields("text:brokerName=b")),
    Good(327, _fields("text:brokerName=b")),
    Good(216, _fields("text:topic=NoSuch text:clusterName=C")),
    Good(224, _fields("text:cluster=C")),
)
"""What a NameServer serves that has a header."""
_MISSING_TEXT = (
    "the reference refuses a request without a text that its header class marks as required; RocketMQ logs that as an "
    "error, reads null, and serves what does not trip over it"
)
_BATCH = "a body that is no batch is the sender's mistake (13); RocketMQ trips over it (1)"
_ROOM = "RocketMQ makes room for as many messages as are asked for, and fails; the reference has its own limit"
_NO_NAME = "the reference makes no group without a name"
DELIBERATE: tuple[tuple[str, str], ...] = (
    (r"(10|324) (producerGroup|defaultTopic)=\(missing\)", _MISSING_TEXT),
    (r"(310|325) [ac]=\(missing\)", _MISSING_TEXT),
    (r"(12 (topic|key)|14 consumerGroup|15 (consumerGroup|topic)|35 clientID)=\(missing\)", _MISSING_TEXT),
    (r"(303 group|314 (srcGroup|destGroup))=\(missing\)", _MISSING_TEXT),
    (r"(100|101|102|103|104|205|216|219|224|322|327) \w+=\(missing\)", _MISSING_TEXT),
    (
        r"(10|324) defaultTopicQueueNums=.*|(310|325) d=\(missing\)",
        "the reference wants it to be a number always, RocketMQ where the topic is missing",
    ),
    (r"(10 batch|310 m)='TRUE'", _BATCH),
    (r"(11 maxMsgNums|12 maxNum)='2147483647'", _ROOM),
    (r"(11 consumerGroup|36 group)=''", _NO_NAME),
    (
        r"17 (read|write)QueueNums='(-1|2147483647|-2147483648)'",
        "the reference makes no topic that nobody could use, or that fills its memory",
    ),
    (r"33 offset='\+1'", "inside of a record RocketMQ answers with whatever bytes stand there"),
)
"""Differences that are meant: which, as an expression for the whole name, and why."""


def undeclared(java: Mapping[str, int | None], ours: Mapping[str, int | None]) -> list[str]:
    """The differences that are not meant."""
    return [
        f"{name}: RocketMQ {code}, the reference {ours[name]}"
        for name, code in java.items()
        if code != ours[name] and not any(re.fullmatch(said, name) for said, _ in DELIBERATE)
    ]


def unneeded(java: Mapping[str, int | None], ours: Mapping[str, int | None]) -> list[str]:
    """Declared differences that are none."""
    different = [name for name, code in java.items() if code != ours[name]]
    return [said for said, _ in DELIBERATE if not any(re.fullmatch(said, name) for name in different)]


def prepare(talk: Talk) -> None:
    """Make what the good requests of a broker speak of."""
    talk.topic(TOPIC)
    talk.ask(200, json.dumps({"groupName": GROUP}).encode())
    talk.send(TOPIC, b"first", 0, {"KEYS": "k"})
    for queue in range(4):
        talk.ask(15, consumerGroup=GROUP, topic=TOPIC, queueId=queue, commitOffset=0)


def answers(talk: Talk, requests: tuple[Good, ...]) -> dict[str, int | None]:
    """The code of the answer to every good and to every bad request; None where none comes in time."""
    found: dict[str, int | None] = {}
    for good in requests:
        for name, texts in ((f"{good.code}", good.texts()), *good.bad()):
            answer = talk.wait(talk.begin(good.code, texts, good.body), QUIET_S)
            found[name] = None if answer is None else answer.code
    return found
