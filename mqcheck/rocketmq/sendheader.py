"""Headers and properties of sent messages. Pure: ids, keys and times are handed in."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

from mqcheck.rocketmq.codes import (
    COMPRESSION_ZLIB,
    DEFAULT_TOPIC,
    DEFAULT_TOPIC_QUEUES,
    P_DELAY,
    P_KEYS,
    P_MQC,
    P_PREPARED,
    P_PRODUCER_GROUP,
    P_SHARDING_KEY,
    P_TAGS,
    P_UNIQ_KEY,
    P_WAIT,
    SYSFLAG_COMPRESSED,
)
from mqcheck.rocketmq.message import encode_properties
from mqcheck.rocketmq.models import MessageQueue, Outgoing

ZLIB_LEVEL = 5
"""The official client's compression level."""


def wire_properties(message: Outgoing, unique_key: str) -> dict[str, str]:
    """The properties of a message, without the kit's own, which names the attempt."""
    properties = {P_UNIQ_KEY: unique_key, P_WAIT: "true" if message.wait_store else "false"}
    if message.keys:
        properties[P_KEYS] = " ".join(message.keys)
    if message.tag is not None:
        properties[P_TAGS] = message.tag
    if message.delay_level:
        properties[P_DELAY] = str(message.delay_level)
    if message.half_of is not None:
        properties |= {P_PREPARED: "true", P_PRODUCER_GROUP: message.half_of}
    if message.sharding_key is not None:
        properties[P_SHARDING_KEY] = message.sharding_key
    return {**message.properties, **properties}


def with_attempt(properties: Mapping[str, str], run: str, message: int, attempt: int) -> bytes:
    """Property text that names run, message and attempt, so that every stored copy names its cause."""
    return encode_properties({**properties, P_MQC: f"{run}.{message}.{attempt}"})


def parse_mqc(text: str | None, run: str) -> tuple[int | None, int | None]:
    """Message and attempt named by a record of this run; nothing for any other record (a phantom)."""
    parts = (text or "").rsplit(".", 2)
    if len(parts) != 3 or parts[0] != run or not (parts[1].isdecimal() and parts[2].isdecimal()):
        return None, None
    return int(parts[1]), int(parts[2])


def packed(body: bytes, from_bytes: int | None) -> tuple[bytes, int]:
    """The body as it travels and its sys flag."""
    if from_bytes is None or len(body) < from_bytes:
        return body, 0
    return zlib.compress(body, ZLIB_LEVEL), SYSFLAG_COMPRESSED | COMPRESSION_ZLIB


def send_fields(
    group: str,
    queue: MessageQueue,
    properties: bytes,
    *,
    born_time_ms: int,
    sys_flag: int = 0,
    flag: int = 0,
    batch: bool = False,
    reconsume_times: int = 0,
    max_reconsume: int | None = None,
) -> dict[str, str]:
    """Header fields of SEND_MESSAGE_V2 and SEND_BATCH_MESSAGE (SendMessageRequestHeaderV2)."""
    fields = {
        "a": group,
        "b": queue.topic,
        "c": DEFAULT_TOPIC,
        "d": str(DEFAULT_TOPIC_QUEUES),
        "e": str(queue.queue),
        "f": str(sys_flag),
        "g": str(born_time_ms),
        "h": str(flag),
        "i": properties.decode(),
        "j": str(reconsume_times),
        "k": "false",
        "m": "true" if batch else "false",
        "n": queue.broker,
    }
    if max_reconsume is not None:
        fields["l"] = str(max_reconsume)
    return fields
