"""mqcheck.workloads.wire: requests that are well made but for what they ask, and bytes that are no frame."""

from __future__ import annotations

import pytest

from mqcheck.errors import FrameError
from mqcheck.rocketmq.conversation import Question
from mqcheck.rocketmq.frame import FrameReader, decode
from mqcheck.workloads.wire import (
    ENCODINGS,
    SYSTEM_TOPIC,
    Known,
    bad_frames,
    broken_heartbeat,
    broker_refusals,
    heartbeat,
    incomplete,
    with_unknown_keys,
)

KNOWN = Known("run-7-", "run-7-T", 2, "run-7-G")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_question_is_a_frame(encoding: str) -> None:
    questions = (*broker_refusals(KNOWN, encoding), *incomplete(KNOWN, encoding), heartbeat(KNOWN, "c", encoding))
    for question in (*questions, broken_heartbeat(encoding)):
        command = decode(question.frame(7)[4:])
        assert (command.code, command.fields, command.body) == (question.code, question.fields, question.body)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_name_is_of_the_run(encoding: str) -> None:
    named = {"a", "b", "c", "topic", "originTopic", "consumerGroup", "producerGroup", "group", "key"}
    for question in (*broker_refusals(KNOWN, encoding), *incomplete(KNOWN, encoding)):
        names = {question.fields[field] for field in named & set(question.fields)} - {SYSTEM_TOPIC}
        assert all(name.startswith(KNOWN.prefix) for name in names), question.probe
    assert KNOWN.producers.encode() in heartbeat(KNOWN, "c", encoding).body


@pytest.mark.parametrize("name", bad_frames())
def test_no_bad_frame_can_be_read(name: str) -> None:
    with pytest.raises(FrameError):
        FrameReader().feed(bad_frames()[name])


def test_unknown_keys_leave_the_rest_as_it_is() -> None:
    for encoding in ENCODINGS:
        question = Question("p", 30, {"topic": "T"}, b"body", encoding=encoding)
        frame = question.frame(7)
        changed = with_unknown_keys(frame)
        assert decode(changed[4:]) == decode(frame[4:])
        assert (changed == frame) is (encoding == "binary")
    assert b'"priority"' in with_unknown_keys(Question("p", 30).frame(1))
