"""Process faults: which verbs, what effect, and no fault on what does not run."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mqcheck.errors import FaultError, SettingsError
from mqcheck.faults.base import Fault, Ground
from mqcheck.faults.power import PowerCut
from mqcheck.faults.process import Kill, Pause, Restart, Stop
from mqcheck.targets.base import CAPABILITIES


@pytest.mark.parametrize(
    ("fault", "verbs"),
    [
        (Kill("broker-a"), ["kill", "start"]),
        (Stop("broker-a"), ["stop", "start"]),
        (Pause("broker-a"), ["pause", "resume"]),
        (Restart("broker-a"), ["stop", "start"]),
        (PowerCut("broker-a", torn=False), [("power_cut", {"torn": False}), "start"]),
    ],
    ids=lambda value: value.kind if isinstance(value, Fault) else "",
)
def test_verbs_come_in_pairs_and_leave_an_effect(
    fault: Fault, verbs: list[Any], ground_of_one: Ground, noting_node: Any
) -> None:
    async def go() -> dict[str, Any]:
        effect = dict(await fault.inject(ground_of_one) or {})
        effect.update(await fault.heal(ground_of_one) or {})
        return effect

    effect = asyncio.run(go())
    assert noting_node.calls == verbs
    assert noting_node.running
    assert fault.confirmed(effect)
    assert fault.node == "broker-a"
    assert fault.needs in CAPABILITIES
    assert str(fault) == f"{fault.kind} on broker-a"


@pytest.mark.parametrize("kind", [Kill, Stop, Pause, Restart, PowerCut])
def test_nothing_is_injected_into_what_does_not_run(kind: type[Any], ground_of_one: Ground, noting_node: Any) -> None:
    noting_node.running = False
    with pytest.raises(FaultError, match="broker-a is not running; start it first"):
        asyncio.run(kind("broker-a").inject(ground_of_one))
    assert noting_node.calls == []


def test_an_unknown_victim_is_named_with_those_there_are(ground_of_one: Ground) -> None:
    with pytest.raises(SettingsError, match=r"no node 'broker-x'.*broker-a"):
        asyncio.run(Kill("broker-x").inject(ground_of_one))


def test_a_client_process_is_a_victim_too(ground_of_one: Ground, noting_node: Any) -> None:
    ground_of_one.victims["consumer-1"] = noting_node
    asyncio.run(Kill("consumer-1").inject(ground_of_one))
    assert noting_node.calls == ["kill"]
