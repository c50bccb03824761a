"""What an experiment asks for, and everything that is known to be wrong before it starts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mqcheck.chaos.order import Order, deployment_of, nodes_of, read_order, slug, wishes_of
from mqcheck.errors import SettingsError, SpecsError
from mqcheck.specs import Specs, load_specs
from mqcheck.targets.base import BrokerSpec
from mqcheck.targets.reference import ReferenceTarget

Make = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def specs() -> Specs:
    return load_specs()


def read(experiment: dict[str, Any], specs: Specs) -> Order:
    return read_order(experiment, wishes_of(experiment["controls"][0]["provider"]["arguments"]), specs)


def test_an_order_knows_faults_needs_frames_and_aims(
    make_experiment: Make, action: Make, probe: Make, specs: Specs
) -> None:
    method = [
        action("inject", fault="power-cut", where="broker-a"),
        action("flap", fault="frame-drop", where="p->broker-a", codes=[10], times=2, name="lost"),
        probe("guarantee_held", guarantee="dur-ack-power-sf"),
    ]
    brokers = [{"name": "broker-a", "slaves": 1}, "broker-b"]
    made = make_experiment(*method, deployment={"brokers": brokers}, guarantees=["con-alo"], seed="7", seconds_max="60")
    order = read(made, specs)
    assert (order.name, order.title, order.seed) == ("tried-a-test", "Tried: a test!", 7)
    assert order.aims == ("con-alo", "dur-ack-power-sf")
    assert order.needs == {"power-cut", "partition", "replication"}
    assert order.frames == ("p->broker-a",)
    assert order.fault_names == {"power-cut", "lost"}
    assert order.profile.scenario_ms == 60_000
    assert order.deployment.brokers == (BrokerSpec("broker-a", slaves=1), BrokerSpec("broker-b"))
    assert nodes_of(order.deployment) == ("nameserver-1", "broker-a", "broker-a-slave", "broker-b")


@pytest.mark.parametrize(
    ("function", "arguments", "told"),
    [
        ("inject", {"fault": "kil", "where": "broker-a"}, "no fault is called 'kil'"),
        ("inject", {"fault": "kill", "where": "broker-z"}, "kill on broker-z: there is no such node or client process"),
        ("inject", {"fault": "kill", "where": "broker-z"}, "there are nameserver-1, broker-a (a client is"),
        ("inject", {"fault": "down", "where": "p->broker-z"}, "no server is called 'broker-z'; there are nameserver-1"),
        ("flap", {"fault": "down", "where": "p->broker-a", "every": 3}, "fault 'down' has no parameter 'every'"),
        ("flap", {"fault": "down", "where": "p->broker-a", "times": 0}, "flap: times is 0; it must be a whole number"),
        ("inject", {"fault": "kill", "where": 3}, "fault 'kill' is on 3: name a node (broker-a) or links"),
        ("heal", {"name": "kil"}, "no fault of this experiment is called 'kil'; there are none"),
        ("wait_until", {"probe": "lag", "within_s": 1, "at_most": 1}, "no probe 'lag' can be waited for"),
        ("wait_until", {"probe": "consumer_lag", "within_s": 1, "at_most": 1}, "no group 'billing' is ever started"),
        ("stop_consumers", {"group": "audit"}, "no group 'audit' is ever started; there are none"),
        ("start_load", {"rate_per_s": 0}, "load: rate_per_s is 0; it must be more than 0"),
        ("start_consumers", {"members": "two"}, "consumers: members is 'two'"),
    ],
)
def test_an_action_that_cannot_be_is_told(
    make_experiment: Make, action: Make, specs: Specs, function: str, arguments: dict[str, Any], told: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        read(make_experiment(action(function, **arguments)), specs)
    assert told in str(caught.value)


def test_a_target_that_cannot_is_told_with_the_way_out(
    make_experiment: Make, action: Make, specs: Specs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ReferenceTarget, "capabilities", frozenset({"kill", "partition"}))
    made = make_experiment(action("inject", fault="clock", where="broker-a", ms=1))
    with pytest.raises(SettingsError, match=r"clock on broker-a cannot be done on reference: .*clock"):
        read(made, specs)
    made = make_experiment(action("inject", fault="down", where="broker-a->nameserver-1"))
    with pytest.raises(
        SettingsError, match=r"down on broker-a->nameserver-1 cannot be done on reference.*server-links"
    ):
        read(made, specs)


def test_a_client_in_a_process_of_its_own_can_be_hit(make_experiment: Make, action: Make, specs: Specs) -> None:
    kill = action("inject", fault="kill", where="billing-2")
    start = action("start_consumers", group="billing", members=2, process=True)
    assert read(make_experiment(kill, start), specs).fault_names == {"kill"}
    with pytest.raises(SettingsError, match="no such node"):
        read(make_experiment(kill), specs)
    inside = make_experiment(kill, start, consumers=[{"members": 2}])  # those in processes are billing-3 and -4
    with pytest.raises(SettingsError, match=r"there are nameserver-1, broker-a, billing-3, billing-4"):
        read(inside, specs)


def test_what_is_started_later_can_be_asked_for(make_experiment: Make, action: Make, probe: Make, specs: Specs) -> None:
    start, lag = action("start_consumers", group="audit"), probe("consumer_lag", group="audit")
    read(make_experiment(start, lag, action("stop_consumers", group="audit")), specs)
    with pytest.raises(SettingsError, match="no group 'audit' is ever started"):
        read(make_experiment(lag), specs)
    read(make_experiment(probe("running", node="broker-a")), specs)
    with pytest.raises(SettingsError, match="no node or client process 'broker-z'; there are broker-a, nameserver-1"):
        read(make_experiment(probe("running", node="broker-z")), specs)
    with pytest.raises(SettingsError, match="window_ms is 0"):
        read(make_experiment(probe("success_rate", window_ms=0)), specs)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"targget": "reference"}, "the control mqcheck has no argument 'targget'; it takes consumers, deployment"),
        ({"steady_state": "always"}, "steady_state is 'always'; it must be one of after, throughout"),
        ({"disk": "ram"}, "disk is 'ram'"),
        ({"seed": "x"}, "seed is 'x'; it must be a whole number, 0 or more"),
        ({"seed": 2**32}, "it must be at most"),
        ({"seconds_max": 0}, "seconds_max is 0; it must be a whole number, 1 or more"),
        ({"target": "kafka"}, "no target is called 'kafka'"),
        ({"profile": "slow"}, "no profile 'slow'"),
        ({"deployment": {"broker": []}}, "deployment has no 'broker'; it takes brokers, nameserver_settings"),
        ({"deployment": {"brokers": []}}, "at least one"),
        ({"deployment": {"brokers": ["a", "a"]}}, "each with its own name"),
        ({"deployment": {"brokers": [{"slaves": 1}]}}, "write its name, or a table of name, settings, slaves"),
        ({"deployment": {"nameservers": "many"}}, "deployment.nameservers is 'many'"),
        ({"deployment": {"settings": ["a"]}}, "deployment.settings is ['a']; it must be a table"),
        ({"deployment": {"brokers": "broker-a"}}, "deployment.brokers is 'broker-a'; it must be a list"),
        ({"deployment": [1]}, "deployment is [1]; it must be a table"),
        ({"target": 3}, "target is 3; it must be a name"),
        ({"guarantees": "con-alo"}, "guarantees is 'con-alo'; it must be a list"),
        ({"guarantees": [1]}, "guarantees is [1]; it must be a list of texts"),
        ({"load": {"topic": "orders"}}, "load is {'topic': 'orders'}; it must be a list"),
        ({"load": [{"topik": "orders"}]}, "load has no 'topik'; it takes topic, name"),
        ({"consumers": ["billing"]}, "consumers has the entry 'billing'; each must be a table"),
        ({"topics": [{"queues": 0}]}, "topics: queues is 0"),
    ],
)
def test_a_wrong_argument_is_told(make_experiment: Make, specs: Specs, arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(make_experiment(**arguments), specs)
    assert told in str(caught.value)


def test_an_unknown_guarantee_is_told_with_near_ones(make_experiment: Make, specs: Specs) -> None:
    with pytest.raises(SpecsError, match=r"no guarantee is called 'dur-ack-kil'; near: dur-ack-kill"):
        read(make_experiment(guarantees=["dur-ack-kil"]), specs)


def test_a_title_becomes_a_folder() -> None:
    assert slug("A killed broker, 2nd try!") == "a-killed-broker-2nd-try"
    assert slug("???") == "experiment"
    assert deployment_of({}).brokers == (BrokerSpec("broker-a"),)
