"""A request as handlers see it."""

from __future__ import annotations

from reference_impl.broker.request import Request
from reference_impl.commands import ResponseCode
from reference_impl.effects import Reply
from reference_impl.frame import Command


def test_a_reply_answers_its_request() -> None:
    request = Request(1, 4, ("h", 1), Command(code=11, opaque=9))
    (effect,) = request.reply(ResponseCode.SYSTEM_BUSY, {"k": "v"}, b"body", "remark")
    assert isinstance(effect, Reply)
    assert effect.conn == 4
    answer = effect.command
    assert (answer.code, answer.opaque, answer.fields, answer.body, answer.remark) == (
        2,
        9,
        {"k": "v"},
        b"body",
        "remark",
    )
    assert answer.is_response
