"""mqcheck.rocketmq.conversation: several requests on one connection, each with a row."""

from __future__ import annotations

import asyncio
from typing import Any

from mqcheck.rocketmq.admin import Admin
from mqcheck.rocketmq.conversation import Question
from mqcheck.rocketmq.frame import Command, Serialize, decode, encode

OFFSET = {"topic": "T", "queueId": "0"}


def test_questions_on_one_connection(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster, lab.client(cluster) as client:
            admin = Admin(client, lab.nodes(cluster))
            async with admin.conversation("broker-a") as talk:
                single = await talk.ask(Question("one", 30, OFFSET, encoding="binary"))
                assert (single.outcome, single.code, single.fields) == ("ok", 0, {"offset": "0"})
                many = await talk.ask_all(tuple(Question("many", 30, OFFSET) for _ in range(20)))
                assert [answer.answers for answer in many] == [1] * 20
                cluster.broker.script[9999] = ["close"]
                closed = await talk.ask(Question("closed", 9999))
                assert closed.answers == 0
            await cluster.broker.stop()
            async with admin.conversation("broker-a") as talk:
                assert (await talk.ask(Question("nobody", 30), deadline_ms=50)).outcome == "unsent"
            rows = lab.rows("replies")
            assert [row["outcome"] for row in rows] == ["ok"] * 21 + ["closed", "unsent"]
            assert len({row["conn"] for row in rows}) == 2
            assert rows[0]["detail"] == '{"offset":"0"}'
            assert (rows[0]["encoding"], rows[1]["encoding"]) == ("binary", "json")

    asyncio.run(run())


def test_answers_to_nobody_and_without_flag(lab: Any) -> None:
    async def run() -> None:
        async with lab.cluster() as cluster, lab.client(cluster) as client:

            async def astray(session: Any, command: Command) -> Any:
                session.writer.write(encode(Command(code=0, opaque=77_777, flag=1)))
                session.writer.write(encode(Command(code=0, opaque=command.opaque)))

            cluster.broker.serve = astray
            admin = Admin(client, lab.nodes(cluster))
            async with admin.conversation("broker-a") as talk:
                await talk.ask_all((Question("a", 30, OFFSET), Question("b", 30, OFFSET)), deadline_ms=1_000)
            rows = lab.rows("replies", probe="a") + lab.rows("replies", probe="b")
            assert [(row["answers"], row["response_flag"]) for row in rows] == [(1, "0"), (1, "0")]
            assert sum(row.get("strays", 0) for row in rows) >= 1

    asyncio.run(run())


def test_a_question_is_a_frame() -> None:
    question = Question("p", 30, OFFSET, b"body", encoding="binary", version=5, change=lambda frame: frame + b"!")
    frame = question.frame(9)
    assert frame.endswith(b"body!")
    command = decode(frame[4:-1])
    assert (command.opaque, command.version, command.serialize) == (9, 5, Serialize.ROCKETMQ)
