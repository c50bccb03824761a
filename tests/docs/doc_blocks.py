"""Code blocks of README and docs/: what the comment before each says about it, and running it.

| comment | what is done |
| --- | --- |
| `executed` | sh: run by bash in the page's folder, in the order of the page; it must end with status 0 |
| `executed: status 1`, `executed: status 0 or 6` | the same, and the status must be (one of) those |
| `executed: NAME` | the block is the file NAME in that folder, for the blocks after it |
| `printed` | each line is in the output of the block before it, in this order; … stands for anything |
| `parsed: REASON` | sh: each command of ours is put to its parser, and not run |
| `same as PAGE` | each of its lines stands in blocks of that page that are executed or printed (translations) |
| `executed by PATH` | a test of its own runs it |
| `not executed: REASON` | nothing |
| `with NAME of PAGE` | alone, before a block: the first toml block of that page is the file NAME |
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^ *```(\w*)[^\n]*\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
COMMENT = re.compile(r"<!-- (.*?) -->")
WITH = re.compile(r"with (\S+) of (\S+)")
ELSEWHERE = {
    "the test command": ".ci/run",
    "the worked example": "tests/e2e/test_targets_page.py",
    "the example": "tests/e2e/test_matrix_page.py",
}
BLOCK_SECONDS_MAX = 300


@dataclass(frozen=True)
class Block:
    """One block with the comments right before it."""

    page: Path
    line: int
    language: str
    text: str
    comments: tuple[str, ...]

    @property
    def what(self) -> str:
        """What is to be done with it; empty: nobody has said."""
        return self.comments[-1] if self.comments else ""

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def pages() -> list[Path]:
    """README, in every language, and everything below docs/."""
    return sorted([*ROOT.glob("README*.md"), *(ROOT / "docs").rglob("*.md")])


def blocks(page: Path) -> Iterator[Block]:
    """Of one page, in order."""
    text = page.read_text(encoding="utf-8")
    for found in FENCE.finditer(text):
        comments: list[str] = []
        for line in reversed(text[: found.start()].splitlines()):
            comment = COMMENT.fullmatch(line.strip())
            if comment is None:
                break
            comments.insert(0, comment[1])
        yield Block(page, text.count("\n", 0, found.start()) + 1, found[1], found[2], tuple(comments))


def statuses(what: str) -> set[int]:
    """Exit statuses that a block may have."""
    found = re.fullmatch(r"executed: status ([\d or]+)", what)
    return {int(each) for each in found[1].split(" or ")} if found else {0}


class Shell:
    """Runs the blocks of one page in a folder, with our commands on the path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        tools = folder.parent / "tools"
        tools.mkdir()
        for name, module in {"mqcheck": "mqcheck", "pytest": "pytest -p no:randomly", "python": ""}.items():
            words = " ".join([shlex.quote(sys.executable), *([f"-m {module}"] if module else [])])
            (tools / name).write_text(f'#!/bin/sh\nexec {words} "$@"\n', encoding="utf-8")
            (tools / name).chmod(0o755)
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "MQCHECK", "COV"))}
        # A log's width, and no word of other packages about their own future.
        more = {
            "PATH": f"{tools}:{kept['PATH']}",
            "PYTHONPATH": str(ROOT),
            "COLUMNS": "400",
            "PYTHONWARNINGS": "ignore",
        }
        self.environment = {**kept, **more}

    def run(self, text: str) -> subprocess.CompletedProcess[str]:
        """One block, standard error among its output."""
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=BLOCK_SECONDS_MAX,
        )


def not_printed(wanted: str, output: str) -> str:
    """The first line that is not in the output after the one before it; empty: all are."""
    lines = iter(output.splitlines())
    for line in filter(None, wanted.splitlines()):
        pattern = re.compile(".*".join(re.escape(part) for part in line.split("…")))
        if not any(pattern.fullmatch(each) for each in lines):
            return line
    return ""


def commands(text: str) -> Iterator[list[str]]:
    """Words of each line of a block, without comments and without what sets the scene."""
    for line in text.splitlines():
        words = shlex.split(line, comments=True)
        while words and (words[0] in ("python", "-m") or words[0].startswith(".venv/bin/")):
            if words[0].startswith(".venv/bin/"):
                words[0] = words[0].removeprefix(".venv/bin/")
                break
            words.pop(0)
        if words:
            yield words


def misparsed(words: list[str]) -> str:
    """Why a command of ours would be refused; empty: it would not."""
    program, *rest = words
    if program == "reference_impl":
        return "" if rest[:1] in (["all"], ["broker"], ["namesrv"]) else f"it has no role {rest[:1]}"
    if program == "pytest":
        return _uncollected(rest)
    if program == "mqcheck" and rest[:1] == ["run"]:
        from mqcheck.commands import translate

        return _uncollected(["--mqcheck", *translate([word for word in rest[1:] if word != "--json"])])
    if program == "mqcheck":
        return _unknown(rest)
    return f"{program} is none of our commands: mark the block as not executed, with a reason"


def _uncollected(words: list[str]) -> str:
    """The plugin's options, the few of pytest's own that pages use, and patterns that match nothing."""
    from mqcheck.options import SETTINGS
    from mqcheck.plan import plan
    from mqcheck.scenarios.base import all_scenarios
    from mqcheck.specs import load_specs

    parser = argparse.ArgumentParser(exit_on_error=False, allow_abbrev=False)
    parser.add_argument("--mqcheck", action="store_true")
    parser.add_argument("-n")
    parser.add_argument("--junitxml")
    parser.add_argument("paths", nargs="*")
    for each in SETTINGS:
        kinds: dict[str, dict[str, Any]] = {
            "flag": {"action": "store_true"},
            "list": {"action": "append", "default": []},
            "number": {"type": int},
            "text": {},
        }
        parser.add_argument(each.option, dest=each.name, **kinds[each.kind])
    try:
        found, unknown = parser.parse_known_args(words)
        if unknown:
            return f"nobody knows {unknown}"
        plan(all_scenarios().values(), load_specs(), tuple(found.select))
    except Exception as error:
        return str(error)
    return ""


def _unknown(words: list[str]) -> str:
    """typer's parser, without calling the command."""
    import typer.main

    from mqcheck.commands import app

    command, path = typer.main.get_command(app), "mqcheck"
    while hasattr(command, "commands"):
        if not words or words[0] not in command.commands:
            return f"{path} has no command {words[:1]}"
        command, path, words = command.commands[words[0]], f"{path} {words[0]}", words[1:]
    try:
        command.make_context(path, list(words))
    except Exception as error:
        return f"{path} {shlex.join(words)}: {getattr(error, 'message', '') or error!r} {getattr(error, 'param', '')!r}"
    return ""
