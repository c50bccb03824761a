"""README.md of such a folder: what was promised, what happened, and how to see it by hand."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from mqcheck.judge.verdicts import Verdict
from mqcheck.report.html import plain
from mqcheck.repro.choose import Operation
from mqcheck.repro.logs import told_of
from mqcheck.specs import Guarantee

BY_HAND: Final = {
    "kill": "`kill -9` the process",
    "stop": "ask the process to end (SIGTERM), and wait for it",
    "restart": "end the process and start it again",
    "pause": "stop the process where it stands (`kill -STOP`), and let it go on later (`kill -CONT`)",
    "power-cut": "cut the power: reset a virtual machine, or kill the process and take away what it had not fsynced; a "
    "plain `kill -9` loses nothing, for the page cache survives it",
    "slow-fsync": "make fsync slow",
    "fsync-error": "let fsync fail with EIO, and cut the power right after",
    "slow-write": "make writes slow",
    "write-error": "let writes fail with EIO, and cut the power right after",
    "disk-full": "fill the disk",
    "disk-nearly-full": "fill the disk to 97 %",
    "bad-tail": "cut the power, then put a damaged record behind the last whole one of the commit log",
    "lost-queues": "stop the broker, remove its consume queues and index, and start it again",
    "clock": "set the clock of the process",
    "latency": "delay the link (Toxiproxy's toxic `latency`)",
    "blackhole": "hold everything on the link (Toxiproxy's toxic `bandwidth` with rate 0, or a firewall's DROP)",
    "drop": "drop what is on the link, then close it (Toxiproxy's toxic `timeout`)",
    "reset": "reset the link's connections (Toxiproxy's toxic `reset_peer`)",
    "down": "close the link's port",
}
"""How a fault is made without the kit."""


def readme(
    spec: Guarantee,
    verdict: Verdict,
    plan: Mapping[str, Any],
    operations: Sequence[Operation],
    faults: Sequence[Mapping[str, Any]],
    logs: Sequence[Mapping[str, Any]],
    began: int,
    configuration: Sequence[str],
) -> str:
    """The text. ``began`` is the time from which all others count, in ns of the history's clock."""
    parts = [
        _head(spec, verdict, plan),
        _by_hand(spec, verdict, operations, faults, configuration),
        _operations(operations, began),
        _timetable(faults),
        _files(spec, verdict, logs, configuration),
    ]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _head(spec: Guarantee, verdict: Verdict, plan: Mapping[str, Any]) -> Iterator[str]:
    planted = "".join(f", with {plan[kind]} planted" for kind in ("sabotage", "odd") if plan.get(kind))
    yield f"# {spec.id} is {verdict.verdict}: {_text(spec.title)}"
    yield ""
    yield f"**Promised** ({spec.level}, {spec.subject}): {_text(spec.statement)}"
    if spec.sources:
        yield f"Sources: {_text(', '.join(spec.sources))}."
    if spec.exceptions:
        yield f"Not promised: {_text('; '.join(spec.exceptions))}."
    yield ""
    yield (
        f"**Seen** on {_text(plan['target'])} {_text(plan['target_version'])}{planted}, scenario "
        f"{verdict.scenario}, profile {plan['profile']}, seed {plan['seed']}, {plan['started']}: "
        f"{_text(verdict.reason)}."
    )
    yield "The first pieces of evidence (all that were kept: `evidence.json`):"
    yield ""
    for row in verdict.evidence[:3]:
        yield f"- {_text(', '.join(f'{key} {value}' for key, value in row.items() if key != 'life'))}"


def _by_hand(
    spec: Guarantee,
    verdict: Verdict,
    operations: Sequence[Operation],
    faults: Sequence[Mapping[str, Any]],
    configuration: Sequence[str],
) -> Iterator[str]:
    yield "## By hand"
    yield ""
    steps = []
    if configuration:
        steps.append(
            "Start the NameServer and the brokers with the files of `configuration/<node>/`; `command.txt` is the "
            "command as it was. Folders and ports in them are those of the run: put yours in their place. Between a "
            "node's `namesrvAddr` and the NameServer lay a proxy, which rewrote addresses; without faults on links "
            "there is no need for one."
        )
    sends = [each for each in operations if each.table == "sends"]
    if sends:
        topics = ", ".join(sorted({str(each.row.get("topic")) for each in sends}))
        modes = ", ".join(sorted({str(each.row.get("mode")) for each in sends}))
        steps.append(f"Send ({modes}) to topic {_text(topics)}, several senders at once, and keep each answer.")
    made = [fault for fault in faults if fault["table"] == "faults"]
    for kind, same in groupby(made, key=lambda fault: str(fault["kind"])):
        places = ", ".join(f"on {each.get('node') or each.get('link')} at {each['at_ms']:+.0f} ms" for each in same)
        steps.append(
            f"{kind}, {places} (0 is the first operation below): {BY_HAND.get(kind, f'make the fault {kind}')}."
        )
    if made:
        steps.append("Undo it, start again what has ended, and wait until the cluster works.")
    steps.append("Read every queue from its least to its greatest offset, and compare with what was answered.")
    yield from (f"{number}. {text}" for number, text in enumerate(steps, 1))
    keys = [each.row["unique_key"] for each in sends if each.row.get("unique_key")]
    if keys:
        yield ""
        yield "To ask a live broker for one of the messages:"
        yield ""
        yield f"    mqadmin queryMsgByUniqueKey -n NAMESERVER -t {sends[0].row.get('topic')} -i {keys[0]}"
    if verdict.replay:
        yield ""
        yield "With mqcheck, the same plan (over real sockets the interleaving is free):"
        yield ""
        yield f"    {verdict.replay}"


def _operations(operations: Sequence[Operation], began: int) -> Iterator[str]:
    yield f"## The {len(operations)} operations that matter"
    yield ""
    yield f"Times in ms from the first of them ({began} ns of the history's clock); all columns: `operations.jsonl`."
    yield ""
    yield "| ms | what | operation |"
    yield "| --- | --- | --- |"
    for each in operations:
        yield f"| {each.at_ms:+.1f} | {_cell(each.told())} | {each.table} {each.row['op']} |"


def _timetable(faults: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield "## Faults, lives and phases"
    yield ""
    yield "The same times; everything about each: `faults.jsonl`."
    yield ""
    yield "| ms | what | until | more |"
    yield "| --- | --- | --- | --- |"
    for row in faults:
        yield f"| {row['at_ms']:+.1f} | {' | '.join(_cell(text) for text in _row(row))} |"


def _row(row: Mapping[str, Any]) -> tuple[str, str, str]:
    if row["table"] == "phases":
        return f"phase {row.get('name')}", _until(row, "ended_ms"), ""
    if row["table"] == "nodes":
        exit_code = f", exit status {row['exit_code']}" if "exit_code" in row else ""
        ready = f"ready {row['ready_ms']:+.1f}; " if "ready_ms" in row else "never ready; "
        how = f"ended by {row['how']}{exit_code}" if row.get("how") else "not ended"
        return f"life {row.get('life')} of {row.get('node')}", _until(row, "ended_ms"), ready + how
    effect = row.get("effect") or {}
    told = ", ".join(f"{key} {value}" for key, value in effect.items() if not isinstance(value, dict))
    return (
        f"**{row.get('kind')}** on {row.get('node') or row.get('link')}",
        _until(row, "healed_ms"),
        f"in force {row['active_ms']:+.1f}; {told or 'no effect seen'}" if "active_ms" in row else told,
    )


def _until(row: Mapping[str, Any], key: str) -> str:
    return f"{row[key]:+.1f}" if key in row else "open"


def _files(
    spec: Guarantee, verdict: Verdict, logs: Sequence[Mapping[str, Any]], configuration: Sequence[str]
) -> Iterator[str]:
    yield "## In this folder"
    yield ""
    yield "- `plan.json`: what the scenario was to do"
    if configuration:
        yield "- `configuration/`: what each node was started with, as written"
    else:
        yield "- no `configuration/`: the run did not keep it; `plan.json` says how to repeat it"
    yield "- `operations.jsonl`, `faults.jsonl`: the tables above, with all columns"
    yield f"- `evidence.json`: the verdict with {len(verdict.evidence)} of {verdict.evidence_total} row(s) of evidence"
    yield f"- `query.sql`: the query of {spec.id} that found them"
    yield from (f"- {line}" for line in told_of(logs))


def _text(value: object) -> str:
    """Text of somebody else's in Markdown."""
    return re.sub(r"([\\`*_\[\]<>])", r"\\\1", " ".join(plain(value).split()))


def _cell(text: str) -> str:
    """Text in a table; its own bold type stays."""
    return re.sub(r"([\\`\[\]<>|])", r"\\\1", " ".join(plain(text).split()))
