"""CHECK_TRANSACTION_STATE: what a broker asks a producer about a half message that nobody has decided. Pure.

Source: ClientRemotingProcessor.checkTransactionState, CheckTransactionStateRequestHeader (``rocketmq.md`` §9, §18.5).
"""

from __future__ import annotations

from dataclasses import dataclass

from mqcheck.errors import FrameError
from mqcheck.rocketmq.codes import P_CHECK_TIMES, P_MQC, P_PRODUCER_GROUP, P_UNIQ_KEY
from mqcheck.rocketmq.digests import digest
from mqcheck.rocketmq.frame import Command
from mqcheck.rocketmq.message import content, decode_record
from mqcheck.rocketmq.sendheader import parse_mqc


@dataclass(frozen=True, slots=True)
class HalfCheck:
    """One check as it came."""

    group: str
    """The producer group that the half message names."""
    message: int | None
    """The history's id of the message; None for one that no kit of this run sent."""
    unique_key: str | None
    """As the header names the transaction."""
    half_offset: int
    """tranStateTableOffset: the half message's place in the queue of half messages."""
    physical_offset: int
    """commitLogOffset."""
    check_times: int | None
    """How many checks the broker has counted, this one included."""
    body_digest: int


def parse_check(command: Command, run: str) -> HalfCheck:
    """The check in a request. Raises FrameError for one that cannot be read."""
    record = decode_record(command.body)
    fields, properties = command.fields, record.properties
    places = fields.get("tranStateTableOffset", ""), fields.get("commitLogOffset", "")
    if not (places[0].isdecimal() and places[1].isdecimal()):
        raise FrameError(f"a check names the offsets {places[0]!r} and {places[1]!r}, which are no numbers")
    times = properties.get(P_CHECK_TIMES, "")
    return HalfCheck(
        group=properties.get(P_PRODUCER_GROUP, ""),
        message=parse_mqc(properties.get(P_MQC), run)[0],
        unique_key=fields.get("transactionId") or fields.get("msgId") or properties.get(P_UNIQ_KEY),
        half_offset=int(places[0]),
        physical_offset=int(places[1]),
        check_times=int(times) if times.isdecimal() else None,
        body_digest=digest(content(record)),
    )
