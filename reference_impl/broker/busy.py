"""Flow control: requests that have waited for too long are refused (2) instead of being served late.

A client that has waited so long is about to give up and try again elsewhere: serving it would add to the backlog that
made it wait. Here one thread serves requests one after the other, so what waits are the requests that were read from
the sockets at the same time, behind a write that the disk holds up. How long is measured, not guessed: from when the
loop found their bytes to when their turn comes. What still stands in the sockets is not counted, as in RocketMQ.

What a client may rely on: what is refused so was not stored. What it may not: that a one-way request (the end of a
transaction) is answered. Clause: dur-reject-absent. Source: RocketMQ BrokerFastFailure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from reference_impl.broker.request import RefusalError, Request
from reference_impl.commands import RequestCode, ResponseCode

if TYPE_CHECKING:
    from reference_impl.broker.state import BrokerState


class Backlog(Struct):
    """The requests that the shell is about to hand over, one after the other."""

    since_ms: int = 0
    """Since when their bytes have been at hand, broker's clock."""
    left: int = 0
    """How many are still to come; below zero for what did not come that way."""


_LIMITS: Final[dict[int, str]] = {
    RequestCode.SEND_MESSAGE: "waitTimeMillsInSendQueue",
    RequestCode.SEND_MESSAGE_V2: "waitTimeMillsInSendQueue",
    RequestCode.SEND_BATCH_MESSAGE: "waitTimeMillsInSendQueue",
    RequestCode.CONSUMER_SEND_MSG_BACK: "waitTimeMillsInSendQueue",
    RequestCode.PULL_MESSAGE: "waitTimeMillsInPullQueue",
    RequestCode.HEART_BEAT: "waitTimeMillsInHeartbeatQueue",
    RequestCode.END_TRANSACTION: "waitTimeMillsInTransactionQueue",
}
"""The setting that bounds the wait, by code; all else may wait."""


def refuse_late(state: BrokerState, request: Request) -> None:
    """RefusalError (2) where a request's turn comes later than its setting allows."""
    waited_ms = request.now_ms - state.backlog.since_ms
    limit = _LIMITS.get(request.command.code)
    if limit is None or not state.settings.brokerFastFailureEnable or waited_ms < getattr(state.settings, limit):
        return
    raise RefusalError(
        ResponseCode.SYSTEM_BUSY,
        "[TIMEOUT_CLEAN_QUEUE]broker busy, start flow control for a while, "
        f"period in queue: {waited_ms}ms, size of queue: {state.backlog.left}",
    )
