"""mqcheck.workloads.changes: what is written of changes and looks."""

from __future__ import annotations

import asyncio
from typing import Any

from mqcheck.rocketmq.models import RawAnswer
from mqcheck.workloads.changes import State, change, look


async def answered(code: int | None, **fields: str) -> RawAnswer:
    return RawAnswer("none" if code is None else "ok", int(code is not None), code, fields)


class Written:
    """Keeps rows as a recorder would write them."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def begin(self, table: str, **columns: Any) -> int:
        assert table == "states"
        self.rows.append(columns)
        return len(self.rows) - 1

    def end(self, table: str, op: int, **columns: Any) -> None:
        assert table == "states"
        self.rows[op] |= columns


def test_changes_and_looks_are_rows() -> None:
    recorder: Any = Written()

    async def run() -> None:
        states = [State("topic", "broker-a", "T", "r1"), State("route", "nameserver-1", "T", "r1")]
        for code, refused in ((0, False), (1, False), (None, False), (1, True), (0, True), (None, True)):
            await change(recorder, "create", states, answered(code), refused=refused)

        def read(answer: RawAnswer) -> dict[str, str]:
            return {"T": answer.fields["setting"]}

        for code, fields in ((0, {"setting": "r1"}), (17, {}), (1, {}), (0, {})):
            await look(recorder, "topic", "broker-a", ("T", "U"), answered(code, **fields), read, absent=(17,))

    asyncio.run(run())
    made = [row for row in recorder.rows if row["kind"] == "create" and row["about"] == "route"]
    assert [row["outcome"] for row in made] == ["ok", "error", "unknown", "ok", "ok", "unknown"]
    assert {row["setting"] for row in made} == {"r1"}
    seen = [(row["name"], row["outcome"], row["setting"]) for row in recorder.rows if row["kind"] == "seen"]
    failed = [("T", "error", None), ("U", "error", None)]
    assert seen == [("T", "ok", "r1"), ("U", "ok", None), ("T", "ok", None), ("U", "ok", None), *failed, *failed]
