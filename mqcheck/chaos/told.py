"""An experiment's journal in words: lines for a terminal, a page in Markdown, a section of the report.

Pure: reads the journal's key `mqcheck`, whose numbers `numbers` has made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from mqcheck.report.sections import Section

STAGES: Final = ("before", "during", "after")
BARS: Final = "▁▂▃▄▅▆▇█"
CURVE_POINTS: Final = 40
"""Of a backlog's curve in one line. Ours."""


def lines(journal: Mapping[str, Any]) -> list[str]:
    """What the terminal shows at the end."""
    own = journal["mqcheck"]
    found = [*_outcome(journal), *_steady(own), *_promises(own)]
    if own["numbers"]:
        found += _numbers(own["numbers"])
    return [*found, f"journal, numbers, report: {own['folder']}"]


def markdown(journal: Mapping[str, Any]) -> str:
    """The page ``experiment.md``."""
    own = journal["mqcheck"]
    title = journal["experiment"].get("title", "experiment")
    parts = [f"# {title}", "", str(journal["experiment"].get("description", "")).strip(), ""]
    parts += [f"- {line}" for line in (*_outcome(journal), *_steady(own), *_promises(own))]
    parts += [f"- {own['target']} {own['target_version']}, profile {own['profile']}, seed {own['seed']}"]
    if numbers := own["numbers"]:
        for name, rows in (("Times to recover", rto_rows(numbers)), ("Latency, ms", latency_rows(numbers))):
            if rows:
                parts += ["", f"## {name}", "", *_table(rows)]
        parts += ["", "## Losses and repetitions", "", *(f"- {line}" for line in _losses(numbers))]
        curves = list(_curves(numbers))
        parts += ["", "## Backlog", "", *(f"- {line}" for line in curves)] if curves else []
        definitions = numbers["definitions"].items()
        parts += ["", "## What the numbers mean", "", *(f"- **{word}**: {meaning}" for word, meaning in definitions)]
    return "\n".join([*parts, "", f"Again: `{own['replay']}`", ""])


def section(numbers: Mapping[str, Any]) -> Section:
    """The numbers as a part of report.html."""
    return Section("Numbers of the experiment", "\n\n".join(_numbers(numbers)), rto_rows(numbers))


def rto_rows(numbers: Mapping[str, Any]) -> list[dict[str, object]]:
    """One row for each episode and kind of operation."""
    return [
        {
            "episode": _episode(episode),
            "operation": kind,
            "after begin": _recovered(rto, "after_begin_ms"),
            "after heal": _recovered(rto, "after_heal_ms"),
            "available during": _share(episode["availability"]["during"].get(kind)),
        }
        for episode in numbers["episodes"]
        for kind, rto in episode["rto"].items()
    ]


def latency_rows(numbers: Mapping[str, Any]) -> list[dict[str, object]]:
    """p50 / p99 before, during and after each episode."""
    found: list[dict[str, object]] = []
    for episode in numbers["episodes"]:
        for kind in episode["rto"]:
            stages = {stage: _latency(episode["latency_ms"][stage].get(kind)) for stage in STAGES}
            found.append({"episode": _episode(episode), "operation": kind, **stages})
    return found


def _outcome(journal: Mapping[str, Any]) -> Iterator[str]:
    word = "deviated" if journal.get("deviated") else journal["status"]
    yield f"experiment {word}"
    own = journal["mqcheck"]
    yield from (f"failed: {text}" for text in own["failed"])
    if own["harness_error"]:
        yield f"harness error: {own['harness_error']}"


def _steady(own: Mapping[str, Any]) -> Iterator[str]:
    state = own["steady_state"]
    if not state["asked"]:
        return
    if not state["broken"]:
        yield f"steady state: met each of {state['asked']} times"
    for each in state["broken"]:
        lasted = "not whole again" if each["lasted_s"] is None else f"for {each['lasted_s']} s"
        when = "before the method" if each["after_s"] is None else f"{each['after_s']} s after the method's begin"
        yield f"steady state: broke {when}, {lasted} ({each['probe']}: {each['output']!r})"


def _promises(own: Mapping[str, Any]) -> Iterator[str]:
    for each in own["guarantees"]:
        reason = f": {each['reason']}" if each["reason"] else ""
        yield f"guarantee {each['guarantee']}: {each['verdict']}{reason}"


def _numbers(numbers: Mapping[str, Any]) -> list[str]:
    found = []
    for episode in numbers["episodes"]:
        told = [f"{kind} {_recovered(rto, 'after_begin_ms')}" for kind, rto in episode["rto"].items()]
        healed = [
            f"{kind} {_recovered(rto, 'after_heal_ms')}" for kind, rto in episode["rto"].items() if rto["disturbed"]
        ]
        found.append(f"RTO, {_episode(episode)}: {', '.join(told)}")
        if healed:
            found.append(f"  from its heal: {', '.join(healed)}")
    for row in latency_rows(numbers):
        if row["operation"] in ("send", "deliver"):
            stages = ", ".join(f"{stage} {row[stage]}" for stage in STAGES)
            found.append(f"latency p50/p99 of {row['operation']}, {row['episode']}: {stages}")
    return [*found, *_losses(numbers), *_curves(numbers)]


def _losses(numbers: Mapping[str, Any]) -> Iterator[str]:
    rpo = numbers["rpo"]
    if rpo is None:
        return
    span = "" if rpo["ms"] is None else f", up to {rpo['ms']} ms before the broker's fault"
    unread = f"; {rpo['unread']} could not be read back" if rpo["unread"] else ""
    yield f"RPO: {rpo['lost_messages']} of {rpo['acknowledged']} acknowledged messages lost{span}{unread}"
    if rpo["lost_messages"]:
        yield f"  by broker: {', '.join(f'{broker} {count}' for broker, count in rpo['lost_by_broker'].items())}"
    for kind, each in numbers["availability"].items():
        down = "nobody knows how long it was" if each["down_ms"] is None else f"{each['down_ms']} ms"
        counts = f"{each['ended_well']} of {each['operations']}"
        yield f"availability of {kind}: {_share(each)} ({counts}), {down} interrupted"
    for group, each in numbers["redelivery"]["groups"].items():
        yield (
            f"group {group}: {each['redeliveries']} redeliveries ({each['redelivery_rate']:.2%}), "
            f"{each['duplicates']} duplicates ({each['duplicate_rate']:.2%}) of {each['deliveries']} deliveries"
        )
    if count := numbers["redelivery"]["stored_more_than_once"]:
        yield f"{count} records more than messages: sends that were tried again"
    if numbers["stalled_ms"]:
        yield f"the kit itself stood still for {numbers['stalled_ms']} of {numbers['observed_ms']} ms: a busy machine"


def _curves(numbers: Mapping[str, Any]) -> Iterator[str]:
    for group, points in numbers["backlog"].items():
        top = max((count for _, count in points), default=0)
        step = max(1, -(-len(points) // CURVE_POINTS))
        chosen = [max(count for _, count in points[place : place + step]) for place in range(0, len(points), step)]
        curve = "".join(BARS[round(count * (len(BARS) - 1) / top)] if top else BARS[0] for count in chosen)
        yield f"backlog of {group}: at most {top} messages {curve}"


def _episode(episode: Mapping[str, Any]) -> str:
    return f"{episode['number']}: {', '.join(episode['faults'])} on {', '.join(episode['on'])}"


def _recovered(rto: Mapping[str, Any], key: str) -> str:
    if not rto["disturbed"]:
        return "undisturbed"
    return "not again" if rto[key] is None else f"{rto[key]:.0f} ms"


def _share(each: Mapping[str, Any] | None) -> str:
    return "–" if each is None else f"{each['share']:.2%}"


def _latency(each: Mapping[str, Any] | None) -> str:
    if each is None or each["p50"] is None:
        return "–"
    return f"{each['p50']:.1f}/{each['p99']:.1f}"


def _table(rows: Sequence[Mapping[str, object]]) -> list[str]:
    columns = list(rows[0])
    head = [f"| {' | '.join(columns)} |", f"| {' | '.join('---' for _ in columns)} |"]
    return head + [f"| {' | '.join(str(row[column]) for column in columns)} |" for row in rows]
