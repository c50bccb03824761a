"""What a user of a client should know of a feature that works: where it is slow, or our program helps the client.

Each is of the client: it was seen with Apache RocketMQ 4.9.7 too, or stands in the source of the client.
"""

from __future__ import annotations

from collections.abc import Mapping

NO_ANSWER = "PyPI's rocketmq gives the client no answer when a callback fails, so our program gives it"
NO_BODY = "CreateReplyMessage forgets the body, so our program puts it in"
SLOW_RETRY = "a group finds a new retry topic only 10 to 40 s after its start, so our program makes it before"

REMARKS: Mapping[str, Mapping[str, str]] = {
    "go": {
        "admin-cluster": "names of clusters, no brokers",
        "consume-orderly-rebalance": "the client gives no lock back in a rebalance: up to 80 s without a consumer",
        "consume-retry": SLOW_RETRY,
        "consume-retry-level": SLOW_RETRY,
        "consume-suspend": "pulls begin again up to 30 s after Resume",
        "offsets": "PersistOffset leaves out queues that are not assigned to the consumer",
        "pull": "at the end of a queue PullFrom is held for 20 s, and cannot be asked not to be",
        "pull-send-back": "the pull consumer's limit of retries is 0, dead letter at once, unless it is set",
        "request-reply": NO_BODY,
        "request-reply-async": NO_BODY,
        "tls": "WithTls is for all clients of a process: they share one set of options",
    },
    "cpp": {
        "consume-batches": "a callback is given one message at a time",
        "consume-dead-letter": f"{NO_ANSWER}; there is no limit of retries to set but the group's",
        "consume-orderly-rebalance": "the client gives no lock back in a rebalance: up to 80 s without a consumer",
        "consume-orderly-suspend": NO_ANSWER,
        "consume-retry": f"{NO_ANSWER}; {SLOW_RETRY}",
        "send-too-big": "whatever the broker says, the client tells of a missing route",
    },
}
"""Client, the first word of a column's name, and feature → remark."""


def remark(client: str, feature: str) -> str:
    """The remark on a feature that works; empty when there is none."""
    return REMARKS.get(client.split("-")[0], {}).get(feature, "")
