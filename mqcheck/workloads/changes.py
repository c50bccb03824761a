"""Changes by request, and looks at what they changed: rows of ``states``.

A change has a row for each thing that must be otherwise afterwards; a look has one for each thing that is looked for.
Which look shows which change is the facts' business (``shown``), what it proves the guarantees'.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from mqcheck.history.recorder import Recorder
from mqcheck.rocketmq.models import RawAnswer

APART_MS = 1
"""How long after a change, at least, it is looked at: what begins in the same instant does not surely come later."""

Read = Callable[[RawAnswer], Mapping[str, str]]
"""What an answer says: setting by name; what is not in it is not there."""


@dataclass(frozen=True, slots=True)
class State:
    """One thing, as one node has it or is to have it."""

    about: str
    node: str
    name: str
    setting: str | None = None
    """None: it is not there."""


async def change(
    recorder: Recorder, kind: str, states: Sequence[State], request: Awaitable[RawAnswer], *, refused: bool = False
) -> RawAnswer:
    """Make a request after which these states hold; with ``refused`` whatever it is answered."""
    ops = [
        recorder.begin("states", kind=kind, about=state.about, node=state.node, name=state.name, setting=state.setting)
        for state in states
    ]
    answer = await request
    outcome = "unknown" if answer.code is None else "ok" if refused or answer.code == 0 else "error"
    for op in ops:
        recorder.end("states", op, outcome=outcome, code=answer.code)
    return answer


async def look(
    recorder: Recorder,
    about: str,
    node: str,
    names: Sequence[str],
    request: Awaitable[RawAnswer],
    read: Read,
    *,
    absent: Sequence[int] = (),
) -> None:
    """Ask what there is of these names; ``absent``: codes that say that there is nothing."""
    await asyncio.sleep(APART_MS / 1000)
    ops = {name: recorder.begin("states", kind="seen", about=about, node=node, name=name) for name in names}
    answer = await request
    try:
        found = read(answer) if answer.code == 0 else {}
        outcome = "ok" if answer.code == 0 or answer.code in absent else "error"
    except (ValueError, KeyError, TypeError, AttributeError):
        found, outcome = {}, "error"
    for name, op in ops.items():
        recorder.end("states", op, outcome=outcome, code=answer.code, setting=found.get(name))
