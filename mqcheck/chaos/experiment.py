"""Runs an experiment file with Chaos Toolkit's library, as ``chaos run`` does, and gives it the kit's exit statuses.

A file is looked at as a whole before anything is started. What is kept: the journal beside history and report.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from chaoslib import PayloadEncoder, convert_vars, merge_vars, substitute
from chaoslib.configuration import load_configuration
from chaoslib.exceptions import ChaosException
from chaoslib.experiment import ensure_experiment_is_valid, load_experiment, run_experiment
from chaoslib.run import RunEventHandler
from chaoslib.types import Schedule, Strategy

from mqcheck import exits
from mqcheck.chaos import current
from mqcheck.chaos.ending import KEY, status
from mqcheck.chaos.order import ACTIONS, PROBES, Wishes, controls_of, ours, read_order, wishes_of
from mqcheck.chaos.shape import check_shape
from mqcheck.chaos.steady import output_of, why_failed
from mqcheck.chaos.told import lines
from mqcheck.errors import SettingsError, UserError
from mqcheck.specs import load_specs

EVERY_S: Final = 0.5
"""How often the steady state is asked for while the method runs. Ours."""

ROLLBACKS: Final = ("always", "default", "deviated", "never")
"""When rollbacks are played, as Chaos Toolkit names it."""

STEADY: Final = ("default", "before-method-only", "after-method-only", "during-method-only", "continuously", "skip")
"""When the steady state is asked for, as Chaos Toolkit names it."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What a user says beside the file."""

    variables: Sequence[str] = ()
    """``name=value`` or ``name:type=value``, for the file's `configuration`."""
    target: str | None = None
    """Wins over the file's."""
    seed: int | None = None
    report: Path | None = None
    every_s: float = EVERY_S
    quiet: bool = False


def run_file(path: Path, choice: Choice) -> int:
    """Run an experiment; the exit status. Raises UserError for a file, variable or target that cannot be used."""
    experiment = load(path)
    variables = _variables(choice)
    override(experiment, choice)
    check(experiment, variables)
    current.read_from(str(path))
    rollbacks = _runtime(experiment, "rollbacks", "always", ROLLBACKS)
    strategy = Strategy.from_string(_runtime(experiment, "hypothesis", "default", STEADY))
    logging.getLogger("chaostoolkit").setLevel(logging.CRITICAL + 1)  # the handler below tells it
    try:
        journal = _run(experiment, choice, variables, strategy, rollbacks)
    except KeyboardInterrupt:  # while it begins, or a second time while it mends
        current.end()
        return _interrupted()
    return _ended(journal, choice)


def _run(
    experiment: dict[str, Any], choice: Choice, variables: Mapping[str, Any], strategy: Strategy, rollbacks: str
) -> dict[str, Any]:
    """Chaos Toolkit's own run; its journal."""
    journal: dict[str, Any] = run_experiment(
        experiment,
        settings={"runtime": {"rollbacks": {"strategy": rollbacks}}},
        experiment_vars=merge_vars(variables, None),
        strategy=strategy,
        schedule=Schedule(continuous_hypothesis_frequency=choice.every_s),
        event_handlers=[] if choice.quiet else [Progress()],
    )
    return journal


def load(path: Path) -> dict[str, Any]:
    """An experiment as its file has it, JSON or YAML. Raises SettingsError."""
    if not path.is_file():
        raise SettingsError(f"{path} is no file; `mqcheck chaos new {path}` writes an example")
    try:
        found = load_experiment(str(path))
    except (ChaosException, ValueError) as error:
        raise SettingsError(f"{path}: {error}") from error
    if not isinstance(found, dict):
        raise SettingsError(f"{path} is no experiment: it must be a table with title, description and method")
    check_shape(found)
    return found


def override(experiment: dict[str, Any], choice: Choice) -> None:
    """Put the user's own words over those of the file's control."""
    own = {"target": choice.target, "seed": choice.seed, "report": choice.report and str(choice.report)}
    for control in controls_of(experiment):
        arguments = control["provider"].setdefault("arguments", {})
        arguments.update({key: value for key, value in own.items() if value is not None})


def check(experiment: dict[str, Any], variables: Mapping[str, Any]) -> None:
    """Everything that can be known to be wrong before the start. Raises SettingsError and other UserErrors."""
    controls = controls_of(experiment)
    uses = [*ours(experiment, ACTIONS), *ours(experiment, PROBES)]
    if len(controls) > 1 or (uses and not controls):
        raise SettingsError(
            f"the experiment has the control mqcheck.chaos.control {len(controls)} times: it needs it once, so that "
            f"somebody brings the cluster up and judges; `mqcheck chaos new` writes an example"
        )
    try:
        ensure_experiment_is_valid(experiment)
        configuration = load_configuration(experiment.get("configuration", {}), dict(variables))
    except (ChaosException, TypeError) as error:  # the latter of arguments whose names are no text, such as YAML's `on`
        raise SettingsError(f"not a valid experiment: {error}") from error
    for control in controls:
        told = substitute(experiment, configuration, {})
        wishes = _wishes(control, told, configuration)
        read_order(told, wishes, load_specs([Path(folder) for folder in wishes.specs]))


def _wishes(control: Mapping[str, Any], told: Mapping[str, Any], configuration: Mapping[str, Any]) -> Wishes:
    """Of whoever brings the cluster up: the control, or the action that it leaves it to."""
    arguments = substitute(dict(control["provider"].get("arguments") or {}), configuration, {})
    if arguments.pop("bring_up", True):
        return wishes_of(arguments)
    for function, given in ours(told, ACTIONS):
        if function == "bring_up":
            return wishes_of(given)
    raise SettingsError("the control has `bring_up: false`, and no action bring_up is there: nobody brings it up")


class Progress(RunEventHandler):  # type: ignore[misc]
    """Says what is going on, a line for each activity; the steady state's probes in between only when they matter."""

    def __init__(self) -> None:
        self._asking = False

    def started(self, experiment: Mapping[str, Any], journal: Mapping[str, Any]) -> None:
        """The experiment's title, before the cluster is brought up."""
        print(f"{experiment['title']}: bringing the cluster up", flush=True)

    def start_hypothesis_before(self, experiment: Mapping[str, Any]) -> None:
        """The cluster is up."""
        print("steady state, before the method", flush=True)

    def hypothesis_before_completed(self, experiment: Any, state: Mapping[str, Any], journal: Any) -> None:
        """Whether it was met."""
        _say_state(state)

    def start_method(self, experiment: Any) -> None:
        """Activities follow."""
        print("method", flush=True)

    def continuous_hypothesis_iteration(self, iteration_index: int, state: Mapping[str, Any]) -> None:
        """Only when it is not met."""
        if state and not state.get("steady_state_met"):
            _say_state(state)

    def start_hypothesis_after(self, experiment: Any) -> None:
        """The method is over."""
        print("steady state, after the method", flush=True)

    def hypothesis_after_completed(self, experiment: Any, state: Mapping[str, Any], journal: Any) -> None:
        """Whether it was met."""
        _say_state(state)

    def start_rollbacks(self, experiment: Any) -> None:
        """Rollbacks follow."""
        if current.under_way() is not None:
            print("rollbacks", flush=True)

    def rollbacks_completed(self, experiment: Any, journal: Any) -> None:
        """What follows takes a moment."""
        if current.under_way() is not None:
            print("heal, recover, read everything back, judge", flush=True)

    def activity_completed(self, activity: Mapping[str, Any], run: Mapping[str, Any]) -> None:
        """One line for what was done, none for what belongs to the steady state."""
        if "tolerance" in activity or current.under_way() is None:
            return
        told = why_failed(run) or _short(run.get("output"))
        print(f"  {activity['name']}: {run.get('status', 'broken off')} {told}".rstrip(), flush=True)


def _say_state(state: Mapping[str, Any]) -> None:
    if state.get("steady_state_met"):
        print("  met", flush=True)
        return
    probe = state["probes"][-1]
    print(f"  NOT met: {probe['activity']['name']} is {_short(output_of(probe))}", flush=True)


def _short(output: Any) -> str:
    text = "" if output is None else str(output)
    return text if len(text) <= 100 else f"{text[:100]}…"


def _variables(choice: Choice) -> dict[str, Any]:
    try:
        return dict(convert_vars(list(choice.variables)))
    except ValueError as error:
        wrong = ", ".join(choice.variables)
        raise SettingsError(
            f"--var {wrong}: {error}; write name=value or name:type=value, such as rate:int=60"
        ) from error


def _runtime(experiment: Mapping[str, Any], part: str, default: str, known: Sequence[str]) -> str:
    """A strategy out of the file's `runtime`."""
    word = str(((experiment.get("runtime") or {}).get(part) or {}).get("strategy") or default)
    if word not in known:
        raise SettingsError(f"runtime.{part}.strategy is {word!r}; it must be one of {', '.join(known)}")
    return word


def _ended(journal: dict[str, Any], choice: Choice) -> int:
    """Keep the journal, tell what came out. Raises what kept the experiment from beginning."""
    error = current.failure()
    if isinstance(error, UserError):
        raise error
    if KEY not in journal:
        if error is not None and not isinstance(error, KeyboardInterrupt):
            raise error
        if journal["status"] != "interrupted":
            return status(journal)
        return _interrupted()
    folder = Path(journal[KEY]["folder"])
    (folder / "journal.json").write_text(encoded(journal), encoding="utf-8")
    if not choice.quiet:
        print()
    for line in lines(journal):
        print(line, flush=True)
    return status(journal)


def _interrupted() -> int:
    print("interrupted: everything is taken down, nothing was judged, there is no journal", flush=True)
    return exits.INTERRUPTED


def encoded(journal: Mapping[str, Any]) -> str:
    """A journal as Chaos Toolkit writes it."""
    return json.dumps(journal, indent=2, ensure_ascii=False, cls=PayloadEncoder) + "\n"
