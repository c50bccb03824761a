"""The one experiment that is under way in this process: Chaos Toolkit calls plain functions, and they find it here.

Chaos Toolkit runs one experiment at a time and says so (``chaoslib.control``); so does this.
"""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from mqcheck.chaos.bridge import Bridge
from mqcheck.chaos.live import Follower
from mqcheck.chaos.order import Order, Wishes, read_order
from mqcheck.chaos.stand import Stand
from mqcheck.errors import HarnessError, MqcheckError
from mqcheck.judge.process import JudgeProcess
from mqcheck.judge.verdicts import Verdict
from mqcheck.machinery import Run, identity, open_stage, prepare_folder
from mqcheck.runner import Stage
from mqcheck.specs import Specs, load_specs

HOW_TO_BEGIN: Final = (
    "no experiment is under way: give the file the control mqcheck.chaos.control, which brings the cluster up before "
    "the method (`mqcheck chaos new` writes an example)"
)


@dataclass(slots=True)
class Current:
    """An experiment under way: its world, the thread it lives in, and what judges it."""

    order: Order
    specs: Specs
    run: Run
    bridge: Bridge
    stand: Stand
    judge: JudgeProcess
    follower: Follower
    closing: ExitStack

    def finish(self) -> None:
        """End the load, heal, recover, read everything back, take down. Blocks."""
        self.bridge.call(self.stand.finish())

    def verdicts(self, only: Sequence[str] | None = None) -> list[Verdict]:
        """Of the history so far: of every guarantee, or of those alone. Raises HarnessError when nobody can judge."""
        return self.bridge.call(self.judge.judge(self.stand.folder, only))

    def close(self) -> None:
        """Take down whatever still stands, faults healed; nothing is left. Idempotent."""
        self.closing.close()


@dataclass(slots=True)
class _Place:
    """Where plain functions find what is under way."""

    current: Current | None = None
    experiment: Mapping[str, Any] = field(default_factory=dict)
    """With its variables put in."""
    source: str = "FILE"
    """Where it was read from, as far as that is known."""
    failure: BaseException | None = None
    """Why the latest experiment did not begin."""


_place: Final = _Place()


def current() -> Current:
    """The experiment under way. Raises HarnessError when there is none."""
    if _place.current is None:
        raise HarnessError(HOW_TO_BEGIN)
    return _place.current


def under_way() -> Current | None:
    """The experiment under way, if there is one."""
    return _place.current


def failure() -> BaseException | None:
    """Why the latest experiment did not begin; None when it did."""
    return _place.failure


def announce(experiment: Mapping[str, Any]) -> None:
    """Remember what is going to be run; called before `begin`."""
    _place.experiment, _place.failure = experiment, None


def read_from(source: str) -> None:
    """Remember where the next experiment comes from, for the command that repeats it."""
    _place.source = source


def begin(wishes: Wishes, base: Path) -> Current:
    """Bring up what the announced experiment asks for. Blocks until messages flow.

    ``base``: where ``.mqcheck/`` is. Raises UserError for what cannot be, HarnessError for what does not come up; then
    nothing is left, and `failure` says why.
    """
    if _place.current is not None:
        raise HarnessError("an experiment is under way already: a second one needs a process of its own")
    try:
        with ExitStack() as stack:
            _place.current = _opened(wishes, base, stack)
            stack.pop_all()
            return _place.current
    except BaseException as error:
        _place.failure = error
        raise


def end() -> None:
    """Take down what is under way, however far it has come. Idempotent."""
    here, _place.current = _place.current, None
    if here is not None:
        here.close()


def _opened(wishes: Wishes, base: Path, stack: ExitStack) -> Current:
    specs = load_specs([Path(folder) for folder in wishes.specs])
    order = read_order(_place.experiment, wishes, specs)
    report = None if wishes.report is None else Path(wishes.report).resolve()  # nodes have another working folder
    run = identity(order.seed, report, base)
    prepare_folder(run, base)
    folder = run.folder / "history" / order.name
    closing = stack.enter_context(ExitStack())
    bridge = Bridge()
    closing.callback(bridge.close)
    judge = JudgeProcess([Path(each) for each in wishes.specs])
    closing.callback(_quietly, bridge, judge)
    stage = bridge.call(_staged(closing, bridge))
    stand = Stand(order, stage, folder, run.id, replay=_replay(order))
    closing.callback(lambda: bridge.call(stand.abort()))
    bridge.call(judge.start())
    bridge.call(stand.open())
    kept = closing.pop_all()
    return Current(order, specs, run, bridge, stand, judge, Follower(folder / "events"), kept)


def _replay(order: Order) -> str:
    """The command that repeats the experiment with the same plan."""
    return (
        f"mqcheck chaos run {shlex.quote(_place.source)} --target {shlex.quote(order.target.name)} --seed {order.seed}"
    )


async def _staged(closing: ExitStack, bridge: Bridge) -> Stage:
    """What the runner shares; made in the loop, where its pulses live, and taken down there."""
    opened = ExitStack()
    stage = opened.enter_context(open_stage())

    async def close() -> None:
        opened.close()

    closing.callback(lambda: bridge.call(close()))
    return stage


def _quietly(bridge: Bridge, judge: JudgeProcess) -> None:
    with contextlib.suppress(MqcheckError):
        bridge.call(judge.close())


def announced() -> Mapping[str, Any]:
    """What `announce` was told."""
    return _place.experiment
