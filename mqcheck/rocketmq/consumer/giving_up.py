"""An orderly message past its limit: the client itself sends a copy to the group's retry topic.

The broker moves such a copy to the dead letter topic. Source: ConsumeMessageOrderlyService.sendMessageBack
(``rocketmq.md`` §7.5, §19 point 9).
"""

from __future__ import annotations

from mqcheck.errors import UnansweredError, UnsentError
from mqcheck.rocketmq.client import Client
from mqcheck.rocketmq.codes import (
    CLIENT_INNER_PRODUCER,
    P_DELAY,
    P_MAX_RECONSUME_TIMES,
    P_ORIGIN_MESSAGE_ID,
    P_RECONSUME_TIME,
    P_RETRY_TOPIC,
    P_UNIQ_KEY,
    RETRY_PREFIX,
    SYSFLAG_COMPRESSED,
    SYSFLAG_COMPRESSION_MASK,
    RequestCode,
    ResponseCode,
)
from mqcheck.rocketmq.consumer.share import Held, Share
from mqcheck.rocketmq.message import encode_properties
from mqcheck.rocketmq.models import MessageQueue
from mqcheck.rocketmq.sendheader import send_fields

FIRST_DELAY_LEVEL = 3
"""The delay level of a first retry; each further one is a level higher."""


async def give_up(client: Client, group: str, share: Share, item: Held, delivery: int, max_reconsume: int) -> bool:
    """Send the copy and record it as a ``send-back`` result; True: the broker has stored it."""
    record, recorder = item.record, client.recorder
    times = record.reconsume_times + item.retries
    level = FIRST_DELAY_LEVEL + times
    properties = {
        **record.properties,
        P_RETRY_TOPIC: record.properties.get(P_RETRY_TOPIC, record.topic),
        P_ORIGIN_MESSAGE_ID: record.properties.get(P_ORIGIN_MESSAGE_ID, record.properties.get(P_UNIQ_KEY, "")),
        P_RECONSUME_TIME: str(times),
        P_MAX_RECONSUME_TIMES: str(max_reconsume),
        P_DELAY: str(level),
    }
    fields = send_fields(
        CLIENT_INNER_PRODUCER,
        MessageQueue(RETRY_PREFIX + group, share.queue.broker, 0),
        encode_properties(properties),
        born_time_ms=record.born_time_ms,
        sys_flag=record.sys_flag & (SYSFLAG_COMPRESSED | SYSFLAG_COMPRESSION_MASK),
        flag=record.flag,
        reconsume_times=times,
        max_reconsume=max_reconsume,
    )
    op = recorder.begin(
        "results",
        delivery=delivery,
        consumer_group=group,
        member=client.client_id,
        kind="send-back",
        result="later",
        delay_level=level,
    )
    outcome, code = "unsent", None
    address = client.address_of(share.queue.broker)
    try:
        if address is not None:
            answer = await client.call(address, client.command(RequestCode.SEND_MESSAGE_V2, fields, record.body), op=op)
            code = answer.code
            outcome = "ok" if code == ResponseCode.SUCCESS else "error"
    except UnsentError:
        outcome = "unsent"
    except UnansweredError:
        outcome = "unknown"
    recorder.end("results", op, outcome=outcome, code=code)
    return outcome == "ok"
