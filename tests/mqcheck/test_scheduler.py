"""Sharing out over xdist's workers: the shares, the protocol, and real workers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqcheck import exits
from mqcheck.plan import scenario_of
from mqcheck.scheduler import ScenarioScheduling, partition


class Gateway:
    def __init__(self, name: str) -> None:
        self.id = name


class Node:
    def __init__(self, name: str) -> None:
        self.gateway = Gateway(name)
        self.sent: list[int] = []
        self.shutting_down = False

    def send_runtest_some(self, indices: list[int]) -> None:
        assert not self.shutting_down
        self.sent.extend(indices)

    def shutdown(self) -> None:
        self.shutting_down = True


ITEMS = [
    "test_own.py::test_a",
    "test_own.py::test_b",
    "mqcheck::long::x",
    "mqcheck::long::everything-else",
    "mqcheck::mid::x",
    "mqcheck::short::x",
]
SECONDS = {"long": 9.0, "mid": 5.0, "short": 3.0}


def scheduling(workers: int, sharers: int | None = None) -> tuple[ScenarioScheduling, list[Node], dict[str, list[str]]]:
    assigned: dict[str, list[str]] = {}
    sched = ScenarioScheduling(
        None, workers, sharers or workers, SECONDS, lambda worker, names: assigned.update({worker: list(names)})
    )
    nodes = [Node(f"gw{number}") for number in range(workers)]
    for node in nodes:
        sched.add_node(node)
        sched.add_node_collection(node, ITEMS)
    sched.schedule()
    return sched, nodes, assigned


@given(st.dictionaries(st.text(max_size=5), st.floats(0, 1000), max_size=30), st.integers(1, 8))
def test_shares_hold_every_scenario_once_and_are_balanced(scenarios: dict[str, float], workers: int) -> None:
    shares = partition(scenarios, workers)
    assert len(shares) == workers
    assert sorted(name for share in shares for name in share) == sorted(scenarios)
    loads = [sum(scenarios[name] for name in share) for share in shares]
    assert max(loads) - min(loads) <= max(scenarios.values(), default=0.0) + 1e-6
    assert partition(dict(reversed(scenarios.items())), workers) == shares


def run_all(sched: ScenarioScheduling, node: Node) -> None:
    while node.sent:
        sched.mark_test_complete(node, node.sent.pop(0))


def test_with_one_share_the_other_workers_get_ordinary_tests_alone() -> None:
    sched, nodes, assigned = scheduling(3, sharers=1)
    done: dict[str, list[int]] = {node.gateway.id: [] for node in nodes}
    while any(node.sent for node in nodes):
        for node in reversed(nodes):
            if node.sent:
                done[node.gateway.id].append(node.sent.pop(0))
                sched.mark_test_complete(node, done[node.gateway.id][-1])
    ((worker, names),) = assigned.items()
    assert set(names) == set(SECONDS)
    scenarios = [index for index, item in enumerate(ITEMS) if scenario_of(item)]
    assert [index for index in done[worker] if index in scenarios] == scenarios
    assert sorted(index for indices in done.values() for index in indices) == list(range(len(ITEMS)))
    assert all(node.shutting_down for node in nodes)
    assert sched.tests_finished


def test_scenarios_stay_together_and_everything_is_run_once() -> None:
    sched, nodes, assigned = scheduling(2)
    done: list[int] = []
    while any(node.sent for node in nodes):
        for node in nodes:
            if node.sent:
                done.append(node.sent.pop(0))
                sched.mark_test_complete(node, done[-1])
    assert sorted(done) == list(range(len(ITEMS)))
    assert {frozenset(names) for names in assigned.values()} == {frozenset({"long"}), frozenset({"mid", "short"})}
    assert sched.tests_finished
    assert not sched.has_pending
    assert all(node.shutting_down for node in nodes)


def test_what_a_dead_worker_leaves_goes_to_its_replacement() -> None:
    sched, (first, second), _ = scheduling(2)
    victim = first if 2 in first.sent else second
    other = second if victim is first else first
    while victim.sent[0] != 2:
        sched.mark_test_complete(victim, victim.sent.pop(0))
    assert sched.remove_node(victim) == "mqcheck::long::x"
    assert sched.has_pending
    replacement = Node("gw2")
    sched.add_node(replacement)
    sched.add_node_collection(replacement, ITEMS)
    sched.schedule()
    received = replacement.sent + other.sent
    assert 3 in received
    run_all(sched, replacement)
    run_all(sched, other)
    assert sched.tests_finished
    assert sched.remove_node(replacement) is None


def test_an_item_can_be_asked_for_again() -> None:
    sched, (node,), _ = scheduling(1)
    run_all(sched, node)
    again = Node("gw1")
    sched.add_node(again)
    sched.add_node_collection(again, ITEMS)
    sched.mark_test_pending(ITEMS[4])
    assert again.sent == [4]
    with pytest.raises(NotImplementedError):
        sched.remove_pending_tests_from_node(again, [4])


def test_differing_collections_are_a_collection_error() -> None:
    told: list[Any] = []

    class Hook:
        def pytest_collectreport(self, report: Any) -> None:
            told.append(report)

    sched = ScenarioScheduling(SimpleNamespace(hook=Hook()), 2, 2, {}, lambda worker, names: None)
    for name, items in (("gw0", ITEMS), ("gw1", ITEMS[:-1])):
        node = Node(name)
        sched.add_node(node)
        sched.add_node_collection(node, items)
    sched.schedule()
    assert "mqcheck::short::x" in told[0].longrepr
    assert sched.tests_finished


def test_ids_name_their_scenario() -> None:
    assert scenario_of("mqcheck::kill::dur-one") == "kill"
    assert scenario_of("tests/test_a.py::TestB::test_c") is None


@pytest.mark.slow
def test_workers_share_the_scenarios_and_make_one_report(sandbox: Any) -> None:
    sandbox.world(cut={"verdicts": {"dur-two": "violated"}}, alone={"aims": ["dur-one"], "alone": True})
    sandbox.write("test_own.py", "def test_own():\n    pass\n")
    done = sandbox.pytest("--mqcheck", "-n", "2", "-o", "mqcheck_concurrency=2", "test_own.py")
    assert done.returncode == exits.VIOLATED, done.stdout + done.stderr
    assert "1 failed, 10 passed" in done.stdout
    assert done.stdout.count("MUST: held") == 1
    began = sandbox.log("began")
    assert sorted(row["scenario"] for row in began) == ["alone", "cut", "kill", "steady"]
    assert len({row["pid"] for row in began}) == 2
    assert len(sandbox.report()["scenarios"]) == 4
    assert len({row["seed"] for row in sandbox.log("opened")}) == 1


@pytest.mark.slow
def test_a_worker_that_dies_is_survived(sandbox: Any) -> None:
    sandbox.world(steady={"dies": True})
    done = sandbox.pytest("--mqcheck", "-n", "2")
    assert done.returncode == exits.HARNESS_ERROR, done.stdout + done.stderr
    assert sorted(entry["name"] for entry in sandbox.report()["scenarios"]) == ["cut", "kill", "steady"]
    assert "crashed" in done.stdout
