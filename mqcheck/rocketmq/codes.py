"""RocketMQ's numbers and names as the kit needs them: codes, flag bits, topics, properties, limits.

Written from the protocol's documentation, apart from the reference broker's catalogue: the kit must not inherit its
misreadings. Sources: RequestCode, ResponseCode, MessageSysFlag, PullSysFlag, PermName, MessageConst.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class RequestCode(IntEnum):
    """Request codes the kit sends or is sent."""

    SEND_MESSAGE = 10
    PULL_MESSAGE = 11
    QUERY_MESSAGE = 12
    QUERY_CONSUMER_OFFSET = 14
    UPDATE_CONSUMER_OFFSET = 15
    UPDATE_AND_CREATE_TOPIC = 17
    GET_ALL_TOPIC_CONFIG = 21
    SEARCH_OFFSET_BY_TIMESTAMP = 29
    GET_MAX_OFFSET = 30
    GET_MIN_OFFSET = 31
    VIEW_MESSAGE_BY_ID = 33
    HEART_BEAT = 34
    UNREGISTER_CLIENT = 35
    CONSUMER_SEND_MSG_BACK = 36
    END_TRANSACTION = 37
    GET_CONSUMER_LIST_BY_GROUP = 38
    CHECK_TRANSACTION_STATE = 39
    NOTIFY_CONSUMER_IDS_CHANGED = 40
    LOCK_BATCH_MQ = 41
    UNLOCK_BATCH_MQ = 42
    GET_ALL_CONSUMER_OFFSET = 43
    CHECK_CLIENT_CONFIG = 46
    GET_ROUTEINFO_BY_TOPIC = 105
    GET_BROKER_CLUSTER_INFO = 106
    UPDATE_AND_CREATE_SUBSCRIPTIONGROUP = 200
    GET_ALL_SUBSCRIPTIONGROUP_CONFIG = 201
    RESET_CONSUMER_CLIENT_OFFSET = 220
    GET_CONSUMER_STATUS_FROM_CLIENT = 221
    GET_CONSUMER_RUNNING_INFO = 307
    CONSUME_MESSAGE_DIRECTLY = 309
    SEND_MESSAGE_V2 = 310
    SEND_BATCH_MESSAGE = 320


DESTRUCTIVE_CODES: Final = frozenset({17, 25, 100, 102, 103, 104, 200, 205, 207, 215, 216, 222, 306, 316, 318, 327})
"""Requests that change a cluster for everybody in it: topics, groups and offsets by any name, settings of brokers and
NameServers, registrations, write permission, cleaning of stores."""


class ResponseCode(IntEnum):
    """Response codes the kit tells apart."""

    SUCCESS = 0
    SYSTEM_ERROR = 1
    SYSTEM_BUSY = 2
    REQUEST_CODE_NOT_SUPPORTED = 3
    FLUSH_DISK_TIMEOUT = 10
    SLAVE_NOT_AVAILABLE = 11
    FLUSH_SLAVE_TIMEOUT = 12
    MESSAGE_ILLEGAL = 13
    SERVICE_NOT_AVAILABLE = 14
    NO_PERMISSION = 16
    TOPIC_NOT_EXIST = 17
    PULL_NOT_FOUND = 19
    PULL_RETRY_IMMEDIATELY = 20
    PULL_OFFSET_MOVED = 21
    QUERY_NOT_FOUND = 22
    SUBSCRIPTION_PARSE_FAILED = 23
    SUBSCRIPTION_NOT_EXIST = 24
    SUBSCRIPTION_NOT_LATEST = 25
    SUBSCRIPTION_GROUP_NOT_EXIST = 26
    NO_BUYER_ID = 204
    NOT_IN_CURRENT_UNIT = 205


KEPT_CODES: Final = frozenset(
    {ResponseCode.FLUSH_DISK_TIMEOUT, ResponseCode.SLAVE_NOT_AVAILABLE, ResponseCode.FLUSH_SLAVE_TIMEOUT}
)
"""Send answers that mean: stored, but flush or copy not confirmed (guarantee dur-notok-stored)."""

RETRY_CODES: Final = frozenset(
    {
        ResponseCode.TOPIC_NOT_EXIST,
        ResponseCode.SERVICE_NOT_AVAILABLE,
        ResponseCode.SYSTEM_ERROR,
        ResponseCode.NO_PERMISSION,
        ResponseCode.NO_BUYER_ID,
        ResponseCode.NOT_IN_CURRENT_UNIT,
    }
)
"""Send answers after which the official producer tries another broker (DefaultMQProducer.retryResponseCodes)."""

FLAG_RESPONSE: Final = 1
"""Frame flag bit: this is a response."""
FLAG_ONEWAY: Final = 2
"""Frame flag bit: nobody answers."""

LANGUAGES: Final = (
    "JAVA",
    "CPP",
    "DOTNET",
    "PYTHON",
    "DELPHI",
    "ERLANG",
    "RUBY",
    "OTHER",
    "HTTP",
    "GO",
    "PHP",
    "OMS",
    "RUST",
    "NODE_JS",
)
"""Languages in the order of their bytes in the binary header (LanguageCode)."""

CLIENT_VERSION: Final = 407
"""The version the kit claims: 4.9.7, so that NameServers give standard JSON routes (from 401 on)."""

SYSFLAG_COMPRESSED: Final = 0x1
SYSFLAG_TRANSACTION_MASK: Final = 0xC
SYSFLAG_PREPARED: Final = 0x4
SYSFLAG_BORN_HOST_V6: Final = 0x10
SYSFLAG_STORE_HOST_V6: Final = 0x20
SYSFLAG_COMPRESSION_MASK: Final = 0x700
COMPRESSION_ZLIB: Final = 0x300
COMPRESSION_UNNAMED: Final = 0
"""Old senders name no compression type; it is zlib."""

PULL_COMMIT: Final = 1
"""Pull sysFlag bit: the header carries an offset to commit."""
PULL_SUSPEND: Final = 2
"""Pull sysFlag bit: hold the request when there is nothing."""
PULL_SUBSCRIPTION: Final = 4
"""Pull sysFlag bit: the header carries the subscription."""

PERM_READ: Final = 4
PERM_WRITE: Final = 2

RETRY_PREFIX: Final = "%RETRY%"
DLQ_PREFIX: Final = "%DLQ%"
DEFAULT_TOPIC: Final = "TBW102"
"""The topic whose route stands in for a topic that will be made by its first message."""
DEFAULT_TOPIC_QUEUES: Final = 4
"""Queues asked for on such a topic (defaultTopicQueueNums)."""
CLIENT_INNER_PRODUCER: Final = "CLIENT_INNER_PRODUCER"
"""Producer group under which a consumer sends messages itself (orderly messages past their limit)."""

P_KEYS: Final = "KEYS"
P_TAGS: Final = "TAGS"
P_WAIT: Final = "WAIT"
P_DELAY: Final = "DELAY"
P_UNIQ_KEY: Final = "UNIQ_KEY"
P_RETRY_TOPIC: Final = "RETRY_TOPIC"
P_ORIGIN_MESSAGE_ID: Final = "ORIGIN_MESSAGE_ID"
P_RECONSUME_TIME: Final = "RECONSUME_TIME"
P_MAX_RECONSUME_TIMES: Final = "MAX_RECONSUME_TIMES"
P_SHARDING_KEY: Final = "__SHARDINGKEY"
P_PREPARED: Final = "TRAN_MSG"
P_PRODUCER_GROUP: Final = "PGROUP"
P_CHECK_TIMES: Final = "TRANSACTION_CHECK_TIMES"
P_MQC: Final = "MQC"
"""The kit's own property: ``<run>.<message>.<attempt>``."""

RESERVED_PROPERTIES: Final = frozenset(
    [
        "KEYS",
        "TAGS",
        "WAIT",
        "DELAY",
        "RETRY_TOPIC",
        "REAL_TOPIC",
        "REAL_QID",
        "TRAN_MSG",
        "PGROUP",
        "MIN_OFFSET",
        "MAX_OFFSET",
        "BUYER_ID",
        "ORIGIN_MESSAGE_ID",
        "TRANSFER_FLAG",
        "CORRECTION_FLAG",
        "MQ2_FLAG",
        "RECONSUME_TIME",
        "MSG_REGION",
        "TRACE_ON",
        "UNIQ_KEY",
        "EXTEND_UNIQ_INFO",
        "MAX_RECONSUME_TIMES",
        "CONSUME_START_TIME",
        "INNER_NUM",
        "INNER_BASE",
        "DUP_INFO",
        "CHECK_IMMUNITY_TIME_IN_SECONDS",
        "TRAN_PREPARED_QUEUE_OFFSET",
        "__transactionId__",
        "TRANSACTION_CHECK_TIMES",
        "INSTANCE_ID",
        "CORRELATION_ID",
        "REPLY_TO_CLIENT",
        "TTL",
        "ARRIVE_TIME",
        "PUSH_REPLY_TIME",
        "CLUSTER",
        "MSG_TYPE",
        "POP_CK",
        "POP_CK_OFFSET",
        "1ST_POP_TIME",
        "__SHARDINGKEY",
        "PROPERTY_FORWARD_QUEUE_ID",
        "REDIRECT",
        "INNER_MULTI_DISPATCH",
        "INNER_MULTI_QUEUE_OFFSET",
        "TRACE_CONTEXT",
        "TIMER_DELAY_SEC",
        "TIMER_DELIVER_MS",
        "TIMER_DELAY_MS",
        "TIMER_ENQUEUE_MS",
        "TIMER_DEQUEUE_MS",
        "TIMER_ROLL_TIMES",
        "TIMER_OUT_MS",
        "TIMER_DEL_UNIQKEY",
        "TIMER_DELAY_LEVEL",
        "__BORNHOST",
        "BORN_TIMESTAMP",
        "__CRC32#",
        "ORIGIN_GROUP",
        "DLQ_ORIGIN_TOPIC",
        "DLQ_ORIGIN_MESSAGE_ID",
        "MQC",
    ]
)
"""Property names that are RocketMQ's or the kit's, not the user's (MessageConst)."""

FRAME_BYTES_MAX: Final = 16 * 1024 * 1024
"""Largest frame with its length field (NettyDecoder's 16777216)."""
MESSAGE_BYTES_MAX: Final = 4 * 1024 * 1024
"""Largest message body by default (maxMessageSize)."""
PROPERTIES_BYTES_MAX: Final = 32_767
"""Largest encoded property text: its length is a signed short in the record."""
