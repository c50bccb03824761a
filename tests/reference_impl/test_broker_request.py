"""Header fields and refusals."""

from __future__ import annotations

import pytest

from reference_impl.broker.request import RefusalError, Request, flag, number, text
from reference_impl.commands import ResponseCode
from reference_impl.effects import Reply
from reference_impl.frame import Command


def test_fields() -> None:
    fields = {"a": "x", "n": "-7", "t": "TRUE", "f": "1"}
    assert text(fields, "a") == "x"
    assert number(fields, "n") == -7
    assert number(fields, "absent", 5) == 5
    assert flag(fields, "t")
    assert not flag(fields, "f"), "Java reads 1 as false"
    assert not flag(fields, "absent")


@pytest.mark.parametrize(("read", "name"), [(text, "absent"), (number, "absent"), (number, "a")])
def test_bad_fields_are_refused_by_name(read: object, name: str) -> None:
    assert callable(read)
    with pytest.raises(RefusalError, match=f"<{name}>") as caught:
        read({"a": "x"}, name)
    assert caught.value.code == ResponseCode.SYSTEM_ERROR


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
