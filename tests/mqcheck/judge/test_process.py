"""The asynchronous client of the judging child."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import ModuleType

import pytest

from mqcheck.errors import HarnessError
from mqcheck.judge.process import JudgeProcess
from mqcheck.judge.verdicts import Verdict


@pytest.fixture
def folder(builder: ModuleType, tmp_path: Path) -> Path:
    """A history in which one raw request was answered twice."""
    history = builder.Builder()
    history.aims = ["prt-opaque"]
    history.span("replies", 90, 95, {"answers": 2}, probe="p", node="broker-a")
    made: Path = history.write(tmp_path / "history")
    return made


@pytest.mark.slow
def test_the_client_gets_verdicts_and_errors(folder: Path) -> None:
    async def ask() -> tuple[list[Verdict], str, int | None]:
        judge = JudgeProcess()
        await judge.start()
        verdicts = await judge.judge(folder)
        try:
            await judge.judge(folder / "absent")
            error = ""
        except HarnessError as raised:
            error = str(raised)
        await judge.close()
        await judge.close()
        return verdicts, error, judge.pid

    verdicts, error, pid = asyncio.run(ask())
    assert [verdict.verdict for verdict in verdicts if verdict.guarantee == "prt-opaque"] == ["violated"]
    assert "could not judge" in error
    assert pid is None


@pytest.mark.slow
def test_a_child_that_died_is_a_harness_error(folder: Path, tmp_path: Path) -> None:
    async def ask() -> None:
        judge = JudgeProcess([tmp_path / "absent"])
        try:
            await judge.judge(folder)
        finally:
            await judge.close()

    with pytest.raises(HarnessError, match="mqcheck check"):
        asyncio.run(ask())
