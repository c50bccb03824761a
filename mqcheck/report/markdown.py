"""summary.md: the run in a comment of a pull request; what failed, why, and how to see it again.

Kept below the size that forges accept for a comment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from mqcheck.judge.verdicts import VIOLATED, WORST_FIRST
from mqcheck.report.html import MARKS, plain
from mqcheck.report.summary import conditions
from mqcheck.report.terminal import totals, worth_a_line

BYTES_MAX: Final = 60_000
"""Of the whole file; GitHub takes 65,536 characters for a comment."""
REASON_CHARACTERS_MAX: Final = 300
"""Of a reason in the table; ours: the report has it whole."""
COMMANDS_MAX: Final = 20
"""Replay commands told; ours."""


def summary(report: Mapping[str, Any]) -> str:
    """The file's text: headline, what was violated or left undecided with its evidence, commands, environment."""
    bad = [verdict for verdict in report["verdicts"] if worth_a_line(verdict)]
    bad.sort(key=lambda verdict: (WORST_FIRST.index(verdict["verdict"]), "known" in verdict))
    head = [*_head(report, bad), ""]
    foot = [*_commands(bad), *_conditions(report)]
    room = BYTES_MAX - len("\n".join([*head, *foot]).encode()) - 200
    return "\n".join([*head, *_table(bad, room), *foot]) + "\n"


def _head(report: Mapping[str, Any], bad: list[Mapping[str, Any]]) -> Iterator[str]:
    news = sum(verdict["verdict"] == VIOLATED and "known" not in verdict for verdict in bad)
    run = report["run"]
    sign = "✗" if news else "?" if bad else "✓"
    yield f"### {sign} mqcheck: {inline(run['target'])} {inline(run['target_version'])}"
    yield ""
    first, *rest = totals(report)
    yield f"**{inline(first)}**"
    yield from (f"\n{inline(line)}" for line in rest)
    for gone in report["known_gone"]:
        yield f"\n✗ {inline(gone['told'])}, held in {inline(gone['scenario'])}"


def _table(bad: list[Mapping[str, Any]], room: int) -> Iterator[str]:
    if not bad:
        yield "Nothing is violated, and nothing that was aimed at is undecided.\n"
        return
    yield "| verdict | guarantee | scenario | evidence | why |"
    yield "| --- | --- | --- | ---: | --- |"
    for place, verdict in enumerate(bad):
        line = _line(verdict)
        room -= len(line.encode()) + 1
        if room < 0:
            yield f"\n… and {len(bad) - place} more, in report.html."
            break
        yield line
    yield ""


def _line(verdict: Mapping[str, Any]) -> str:
    sign, word = MARKS[verdict["verdict"]][1], verdict["verdict"]
    told = f"**{sign} {word}**" if word == VIOLATED else f"{sign} {word}"
    if again := verdict.get("reproduced"):
        told += f", reproduced {again['times']} of {again['of']}"
    why = inline(verdict["reason"])
    if len(why) > REASON_CHARACTERS_MAX:
        why = f"{why[:REASON_CHARACTERS_MAX].rstrip(chr(92))}…"
    if known := verdict.get("known"):
        see = f"[{inline(known['see'])}]({known['link']})" if known["link"] else inline(known["see"])
        told, why = f"{told} (known)", f"{inline(known['what'])} ({see}). {why}"
    names = (f"`{code(verdict['guarantee'])}`", f"`{code(verdict['scenario'])}`", str(verdict["evidence_total"]))
    return f"| {' | '.join((told, *names, why))} |"


def _commands(bad: list[Mapping[str, Any]]) -> Iterator[str]:
    commands = list(dict.fromkeys(verdict["replay"] for verdict in bad if verdict["replay"]))
    if not commands:
        return
    yield "<details><summary>See it again</summary>\n"
    yield "```sh"
    yield from (plain(command).replace("```", "` ` `") for command in commands[:COMMANDS_MAX])
    yield "```"
    if len(commands) > COMMANDS_MAX:
        yield f"\n… and {len(commands) - COMMANDS_MAX} more, in report.html."
    yield "\n</details>\n"


def _conditions(report: Mapping[str, Any]) -> Iterator[str]:
    run = report["run"]
    versions = ", ".join(f"{name} {number}" for name, number in run["versions"].items())
    ran = f"{inline(run['started'])}, {run['seconds']:.0f} s, run {inline(run['id'])}"
    yield f"<sub>{inline(conditions(report))}. {ran};"
    yield f"{inline(versions)}. What is what: report.html and report.json in the run's folder.</sub>"


def inline(text: object) -> str:
    """Text that is text in Markdown and in a table's cell, whatever stands in it; nobody is called by @."""
    told = " ".join(plain(text).split())
    for sign in "\\`*_[]<>|#~":
        told = told.replace(sign, f"\\{sign}")
    return told.replace("@", "@\u200b").replace("&", "&amp;")


def code(text: object) -> str:
    """Text between backquotes in a table's cell."""
    return " ".join(plain(text).split()).replace("`", "'").replace("|", "\\|")
