"""Valid requests of every code that is served, and what can be wrong with one of them and leave it a good frame."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from msgspec.structs import replace

from reference_impl.frame import Command, Serialize
from reference_impl.message import BatchItem, encode_batch, encode_properties

sys.path.append(str(Path(__file__).parents[1] / "interop"))

from bad_requests import BROKER, NAMESRV, WAYS, Good

_QUEUES = [{"topic": "BadFields", "brokerName": "broker-a", "queueId": 0}]
_SUBSCRIPTION = {"topic": "BadFields", "subString": "a || b", "subVersion": 1, "expressionType": "TAG"}
_SQL = {"topic": "BadFields", "subString": "a > 1 AND b = 'x'", "subVersion": 2, "expressionType": "SQL92"}
_CONSUMER = {
    "groupName": "BadGroup", "consumeType": "CONSUME_PASSIVELY", "messageModel": "CLUSTERING", "unitMode": False,
    "consumeFromWhere": "CONSUME_FROM_LAST_OFFSET", "subscriptionDataSet": [_SUBSCRIPTION, _SQL],
}  # fmt: skip
_HEARTBEAT = {"clientID": "c", "producerDataSet": [{"groupName": "P"}], "consumerDataSet": [_CONSUMER]}
_GROUP = {"groupName": "BadGroup", "consumeEnable": True, "retryQueueNums": 1, "retryMaxTimes": 16, "brokerId": 0}
_LOCK = {"clientId": "c", "consumerGroup": "BadGroup", "mqSet": _QUEUES}
_TOPIC = {"topicName": "BadFields", "readQueueNums": 4, "writeQueueNums": 4, "perm": 6, "topicSysFlag": 0}
_WRAPPER = {"dataVersion": {"timestamp": 1, "counter": 1}, "topicConfigTable": {"BadFields": _TOPIC}}
_REGISTRATION = {"filterServerList": ["127.0.0.1:1"], "topicConfigSerializeWrapper": _WRAPPER}
_BY_CODE: Final = {good.code: good for good in (*BROKER, *NAMESRV)}


def _plain(*codes: int) -> list[Good]:
    return [Good(code, {}) for code in codes]


def _told(code: int, body: object) -> Good:
    return Good(code, {}, json.dumps(body).encode())


OF_BROKER: Final[tuple[Good, ...]] = (
    *BROKER,
    Good(320, _BY_CODE[310].fields, encode_batch([BatchItem(0, b"x", {"KEYS": "k"}), BatchItem(0, b"y", {})])),
    Good(361, _BY_CODE[11].fields),
    Good(351, {"topic": ("text", "BadFields")}),
    Good(352, {"group": ("text", "BadGroup")}),
    Good(25, {}, b"maxMessageSize=4194304\nflushDiskType=ASYNC_FLUSH\n"),
    _told(34, _HEARTBEAT),
    _told(41, _LOCK),
    _told(42, _LOCK),
    _told(46, {"clientId": "c", "group": "BadGroup", "subscriptionData": _SQL}),
    _told(200, _GROUP),
    *_plain(21, 26, 28, 43, 45, 201, 305, 306, 316, 328, 329),
)
"""One of each code that a broker serves."""
OF_NAMESRV: Final[tuple[Good, ...]] = (
    *(good for good in NAMESRV if good.code != 103),
    Good(103, _BY_CODE[103].fields, json.dumps(_REGISTRATION).encode()),
    Good(318, {}, b"orderMessageEnable=true\n"),
    *_plain(106, 206, 304, 311, 312, 313, 319),
)
"""One of each code that a NameServer serves."""

WILD_VALUES: Final[tuple[Any, ...]] = (
    None, [], {}, "", "x", "é漢😀", -1, 0, 1.5, 1 << 31, 1 << 70, True, [[[]]], [None], {"a": {"b": []}},
    {"groupName": None}, [5], "9" * 400,
)  # fmt: skip
_PROPERTIES: Final = (
    "DELAY", "TRAN_MSG", "PGROUP", "REAL_TOPIC", "REAL_QID", "RETRY_TOPIC", "ORIGIN_MESSAGE_ID", "RECONSUME_TIME",
    "MAX_RECONSUME_TIMES", "UNIQ_KEY", "KEYS", "TAGS", "WAIT", "REPLY_TO_CLIENT", "CHECK_IMMUNITY_TIME_IN_SECONDS",
    "TRANSACTION_CHECK_TIMES", "TRAN_PREPARED_QUEUE_OFFSET", "CLUSTER",
)  # fmt: skip
_PROPERTY_TEXTS: Final = ("", "0", "-1", "true", "x", "1 ", "1_0", "99999999999999999999", "3", "é漢", "a b  c")


def mutated(good: Good, rng: random.Random) -> Command:
    """The request with something wrong in it, or, seldom, as it is."""
    fields, body = good.texts(), good.body
    for _ in range(rng.choice((0, 1, 1, 1, 2))):
        if fields:
            _spoil_field(good.fields, fields, rng)
    if good.code in (10, 310, 320, 324, 325) and rng.random() < 0.4:
        fields["properties" if good.code in (10, 324) else "i"] = _wild_properties(rng)
    if body and (not fields or rng.random() < 0.5):
        body = _spoiled_body(body, rng)
    elif not body and rng.random() < 0.05:
        body = rng.choice((b"{}", b"[]", b"null", rng.randbytes(9)))
    serialize = Serialize.ROCKETMQ if rng.random() < 0.15 else Serialize.JSON
    version = rng.choice((407, 407, 407, 0, 36, 120, 413, 493))
    flag = 2 if rng.random() < 0.05 else 0
    return Command(good.code, rng.randrange(1 << 31), flag, fields, body, version=version, serialize=serialize)


def as_answer(command: Command) -> Command:
    """The same as the answer to a request that nobody may have asked."""
    return replace(command, flag=1)


def _spoil_field(kinds: Mapping[str, tuple[str, str]], fields: dict[str, str], rng: random.Random) -> None:
    name = rng.choice([*kinds])
    value = rng.choice(WAYS[kinds[name][0]] if rng.random() < 0.8 else WAYS["long"])
    if value is None:
        fields.pop(name, None)
    else:
        fields[name] = value


def _wild_properties(rng: random.Random) -> str:
    names: Sequence[str] = rng.sample(_PROPERTIES, rng.randint(1, 6))
    return encode_properties({name: rng.choice(_PROPERTY_TEXTS) for name in names})


def _spoiled_body(body: bytes, rng: random.Random) -> bytes:
    at, how = rng.randrange(len(body)), rng.random()
    if how < 0.15:
        return body[:at]
    if how < 0.3:
        return body[:at] + rng.randbytes(3) + body[at + 3 :]
    if how < 0.4:
        return json.dumps(rng.choice(WILD_VALUES)).encode()
    try:
        shape = json.loads(body)
    except ValueError:
        return body + rng.randbytes(5)
    _spoil_member(shape, rng)
    return json.dumps(shape).encode()


def _spoil_member(shape: Any, rng: random.Random) -> None:
    """Put something else in the place of one member, at any depth, or take it out."""
    while True:
        names = [*shape] if isinstance(shape, dict) else [*range(len(shape))]
        name = rng.choice(names)
        inner = shape[name]
        if isinstance(inner, dict | list) and inner and rng.random() < 0.7:
            shape = inner
            continue
        if isinstance(shape, dict) and rng.random() < 0.3:
            del shape[name]
        else:
            shape[name] = rng.choice(WILD_VALUES)
        return
