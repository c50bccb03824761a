"""Experiments as data, and journals as Chaos Toolkit would have written them; skipped where it is not installed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

if TYPE_CHECKING:
    from mqcheck.chaos.current import Current

pytest.importorskip("chaoslib", reason='needs Chaos Toolkit: pip install "mqcheck[chaos]"')

from mqcheck.chaos import current
from mqcheck.chaos.order import wishes_of


def check_journal(journal: Mapping[str, Any]) -> None:
    """Raises ValidationError for what is no journal of Chaos Toolkit; its library has no check of its own."""
    schema = json.loads((Path(__file__).parent / "journal.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(journal)


def activity(kind: str, function: str, /, **arguments: Any) -> dict[str, Any]:
    """An activity of one of our modules."""
    module = "mqcheck.chaos.actions" if kind == "action" else "mqcheck.chaos.probes"
    provider = {"type": "python", "module": module, "func": function, "arguments": arguments}
    return {"type": kind, "name": "a", "provider": provider}


@pytest.fixture
def make_experiment() -> Callable[..., dict[str, Any]]:
    """A whole experiment with these actions as its method, and a control with these arguments."""

    def make(*method: dict[str, Any], rollbacks: Any = (), **arguments: Any) -> dict[str, Any]:
        provider = {"type": "python", "module": "mqcheck.chaos.control", "arguments": arguments}
        return {
            "title": "Tried: a test!",
            "description": "of a test",
            "controls": [{"name": "mqcheck", "provider": provider}],
            "method": list(method),
            "rollbacks": list(rollbacks),
        }

    return make


@pytest.fixture
def action() -> Callable[..., dict[str, Any]]:
    """An action by its function and arguments."""

    def make(function: str, /, **arguments: Any) -> dict[str, Any]:
        return activity("action", function, **arguments)

    return make


@pytest.fixture
def probe() -> Callable[..., dict[str, Any]]:
    """A probe by its function and arguments."""

    def make(function: str, /, **arguments: Any) -> dict[str, Any]:
        return activity("probe", function, **arguments)

    return make


@pytest.fixture
def journal() -> Callable[..., dict[str, Any]]:
    """A journal: askings as (second, met), each of one probe; runs and rollbacks as (name, status)."""

    def stamp(second: float) -> str:
        return f"2026-01-01T00:00:{second:09.6f}+00:00"

    def state(second: float, met: bool) -> dict[str, Any]:
        found = {"activity": {"name": "sends-succeed"}, "start": stamp(second), "output": 1.0 if met else 0.25}
        return {"steady_state_met": met, "probes": [found]}

    def run(name: str, status: str) -> dict[str, Any]:
        failed = {"exception": ["Traceback\n", "ActivityFailed: it broke\n"]} if status == "failed" else {}
        return {"activity": {"name": name}, "start": stamp(10), "status": status, **failed}

    def make(
        before: tuple[float, bool] | None = None,
        during: Any = (),
        after: tuple[float, bool] | None = None,
        runs: Any = (("act", "succeeded"),),
        rollbacks: Any = (),
        **columns: Any,
    ) -> dict[str, Any]:
        return {
            "experiment": {"title": "Tried", "description": "of a test"},
            "status": "completed",
            "deviated": False,
            "start": stamp(0),
            "steady_states": {
                "before": before and state(*before),
                "during": [state(*each) for each in during],
                "after": after and state(*after),
            },
            "run": [run(*each) for each in runs],
            "rollbacks": [run(*each) for each in rollbacks],
            **columns,
        }

    return make


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Current]:
    """A real experiment that is under way: a broker, a load, a group, and a few faults that its file knows."""
    faults = [
        activity("action", "inject", fault="kill", where="broker-a"),
        activity("action", "inject", fault="latency", where="producer-*->broker-a", name="slow"),
        activity("action", "flap", fault="down", where="producer-*->broker-a", name="flapping"),
        activity("action", "inject", fault="pause", where="walker-1"),
        activity("action", "start_load", name="walker", producers=1, process=True),
    ]
    current.announce({"title": "Tried", "method": faults})
    given = {"load": [{"topic": "orders", "rate_per_s": 80}], "consumers": [{"group": "billing"}], "seed": 7}
    try:
        yield current.begin(wishes_of({**given, "warm_up": 20}), tmp_path_factory.mktemp("laboratory"))
    finally:
        current.end()
