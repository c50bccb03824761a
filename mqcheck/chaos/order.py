"""What an experiment asks for, read from its file before anything is started: deployment, load, faults, guarantees.

`read_order` finds everything that can be known to be wrong: an unknown fault, a node that is not there, a target that
cannot. Pure but for the target, which is asked what it can take.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from fnmatch import fnmatchcase
from typing import Any, Final

from mqcheck.chaos.shape import listed, table
from mqcheck.chaos.vocabulary import ARROW, frames_of, make_faults
from mqcheck.chaos.waiting import check_probe, wait_of
from mqcheck.chaos.work import (
    CONSUMERS,
    ConsumersWish,
    LoadWish,
    TopicWish,
    consumers_of,
    load_of,
    topic_of,
    whole,
)
from mqcheck.errors import SettingsError
from mqcheck.faults.base import Fault
from mqcheck.machinery import choose_target, draw_seed, known_targets
from mqcheck.profile import Profile, fitted, profile_named
from mqcheck.settings import SEED_MAX
from mqcheck.specs import Specs
from mqcheck.targets.base import BrokerSpec, Deployment, DiskChoice, Target
from mqcheck.targets.lives import broker_node_name

ACTIONS: Final = "mqcheck.chaos.actions"
PROBES: Final = "mqcheck.chaos.probes"
CONTROL: Final = "mqcheck.chaos.control"
FAULT_ACTIONS: Final = ("inject", "flap")
"""Actions whose arguments describe a fault."""
PROMISE_PROBES: Final = ("guarantee_held", "guarantee_verdict")
"""Probes that put a guarantee to the test: the experiment aims at it."""
STEADY_STATES: Final = ("after", "throughout")
SECONDS_MAX: Final = 600
"""Longest experiment, load to final reading, where the file says nothing. Ours."""
WARM_UP: Final = 100
"""Ours: about a second of load, with which the first fault has something to be compared."""
FLAPS: Final = {"times": 3, "on_ms": 500, "off_ms": 500}
"""Numbers of `flap` and what they are where nobody says. Ours."""
OWN_ARGUMENTS: Final = frozenset({"fault", "where", "name", *FLAPS})
"""Arguments of fault actions that are none of the fault's."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """The control's arguments, as a file gives them."""

    target: str = "reference"
    profile: str = "quick"
    seed: int | None = None
    deployment: Mapping[str, Any] = field(default_factory=dict)
    topics: Sequence[Mapping[str, Any]] = ()
    load: Sequence[Mapping[str, Any]] = ()
    """Arguments of `start_load`, each for one load that runs from the beginning."""
    consumers: Sequence[Mapping[str, Any]] = ()
    """Arguments of `start_consumers`, the same."""
    warm_up: int = WARM_UP
    """Messages acknowledged before the steady state is asked for the first time, where a load runs by then."""
    guarantees: Sequence[str] = ()
    steady_state: str = "after"
    """`throughout`: a steady state that broke at any time is a deviation, not only one that is broken afterwards."""
    report: str | None = None
    seconds_max: int = SECONDS_MAX
    disk: str = "own"
    sabotage: str | None = None
    specs: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Order:
    """Everything that is needed to bring an experiment's world up, checked."""

    name: str
    """Of the experiment as a folder: its title in small letters."""
    title: str
    target: Target
    profile: Profile
    seed: int
    deployment: Deployment
    aims: tuple[str, ...]
    needs: frozenset[str]
    frames: tuple[str, ...]
    fault_names: frozenset[str]
    """What faults are called in the file: healing one that was not injected is no mistake."""
    disk: DiskChoice
    wishes: Wishes
    topics: tuple[TopicWish, ...]
    loads: tuple[LoadWish, ...]
    """What runs from the beginning."""
    consumers: tuple[ConsumersWish, ...]


def wishes_of(arguments: Mapping[str, Any]) -> Wishes:
    """The control's arguments by name. Raises SettingsError for one that does not exist or has no such value."""
    known = {each.name for each in fields(Wishes)}
    for name in arguments:
        if name not in known:
            raise SettingsError(f"the control mqcheck has no argument {name!r}; it takes {', '.join(sorted(known))}")
    given = Wishes(**arguments)
    for name, value in (("target", given.target), ("profile", given.profile)):
        if not isinstance(value, str):
            raise SettingsError(f"{name} is {value!r}; it must be a name")
    for name, values in (("guarantees", given.guarantees), ("specs", given.specs)):
        if not all(isinstance(each, str) for each in listed(name, values)):
            raise SettingsError(f"{name} is {values!r}; it must be a list of texts")
    table("deployment", given.deployment)
    if given.steady_state not in STEADY_STATES:
        raise SettingsError(f"steady_state is {given.steady_state!r}; it must be one of {', '.join(STEADY_STATES)}")
    if given.disk not in ("own", "fuse"):
        raise SettingsError(f"disk is {given.disk!r}; it must be own or fuse")
    return replace(
        given,
        seed=_seed(given.seed),
        warm_up=whole("warm_up", given.warm_up, least=0),
        seconds_max=whole("seconds_max", given.seconds_max),
    )


def read_order(experiment: Mapping[str, Any], wishes: Wishes, specs: Specs) -> Order:
    """An experiment whose variables have been put in. Raises UserError that says what is wrong and the way out."""
    target = choose_target(known_targets({}), wishes.target)
    profile = replace(fitted(profile_named(wishes.profile), target), scenario_ms=wishes.seconds_max * 1000)
    deployment = deployment_of(wishes.deployment)
    named = dict(_faults(experiment))
    faults = [fault for found in named.values() for fault in found]
    topics = tuple(topic_of(each) for each in listed("topics", wishes.topics))
    loads = tuple(load_of(each) for each in listed("load", wishes.load))
    consumers = tuple(consumers_of(each) for each in listed("consumers", wishes.consumers))
    clients = _clients(experiment, loads, consumers)
    _check_activities(experiment, frozenset(named), {each.group for each in consumers})
    _check_running(experiment, {*nodes_of(deployment), *clients})
    for fault in faults:
        _check_place(fault, deployment, clients)
        _check_target(fault, target, deployment)
    aims = tuple(dict.fromkeys([*wishes.guarantees, *_promises(experiment)]))
    for aim in aims:
        specs.get(aim)
    needs = {fault.needs for fault in faults}
    if any(spec.slaves for spec in deployment.brokers):
        needs.add("replication")
    return Order(
        name=slug(str(experiment.get("title") or "experiment")),
        title=str(experiment.get("title") or "experiment"),
        target=target,
        profile=profile,
        seed=draw_seed() if wishes.seed is None else wishes.seed,
        deployment=deployment,
        aims=aims,
        needs=frozenset(needs),
        frames=frames_of(faults),
        fault_names=frozenset(named),
        disk=DiskChoice("fuse" if wishes.disk == "fuse" else "own"),
        wishes=wishes,
        topics=topics,
        loads=loads,
        consumers=consumers,
    )


def slug(title: str) -> str:
    """A title as the name of a folder and of a scenario."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:60] or "experiment"


def deployment_of(given: Mapping[str, Any]) -> Deployment:
    """A deployment as a file writes it; brokers by name or as tables. Raises SettingsError for an unknown key."""
    known = {each.name for each in fields(Deployment)}
    for key in given:
        if key not in known:
            raise SettingsError(f"deployment has no {key!r}; it takes {', '.join(sorted(known))}")
    brokers = tuple(_broker(each) for each in listed("deployment.brokers", given.get("brokers", ("broker-a",))))
    if len({broker.name for broker in brokers}) < len(brokers) or not brokers:
        raise SettingsError(f"deployment.brokers is {given.get('brokers')!r}: at least one, each with its own name")
    nameservers = whole("deployment.nameservers", given.get("nameservers", 1))
    settings, more = (table(f"deployment.{key}", given.get(key, {})) for key in ("settings", "nameserver_settings"))
    return Deployment(nameservers, brokers, dict(settings), dict(more))


def nodes_of(deployment: Deployment) -> tuple[str, ...]:
    """Names of all nodes, as the history has them."""
    brokers = [broker_node_name(spec.name, number) for spec in deployment.brokers for number in range(1 + spec.slaves)]
    return (*deployment.nameserver_names(), *brokers)


def activities(experiment: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Every activity of an experiment with a provider of Python."""
    hypothesis = experiment.get("steady-state-hypothesis") or {}
    for each in (*hypothesis.get("probes", ()), *experiment.get("method", ()), *experiment.get("rollbacks", ())):
        if isinstance(each, Mapping) and isinstance(each.get("provider"), Mapping):
            yield each


def ours(experiment: Mapping[str, Any], module: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Function and arguments of every activity of one of our modules."""
    for activity in activities(experiment):
        provider = activity["provider"]
        if provider.get("module") == module:
            yield str(provider.get("func")), provider.get("arguments") or {}


def controls_of(experiment: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Our control in an experiment, as often as it is there."""
    found = experiment.get("controls") or ()
    return [each for each in found if (each.get("provider") or {}).get("module") == CONTROL]


def fault_name(arguments: Mapping[str, Any]) -> str:
    """What an injected fault is called, to be healed by: its name, by default its kind."""
    return str(arguments.get("name") or arguments.get("fault"))


def fault_parameters(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a fault action's arguments that is the fault's own."""
    return {key: value for key, value in arguments.items() if key not in OWN_ARGUMENTS}


def flapping_of(arguments: Mapping[str, Any]) -> tuple[int, int, int]:
    """How often, and for how many ms broken and whole. Raises SettingsError."""
    found = [whole(f"flap: {name}", arguments.get(name, usual)) for name, usual in FLAPS.items()]
    return found[0], found[1], found[2]


def _faults(experiment: Mapping[str, Any]) -> Iterator[tuple[str, tuple[Fault, ...]]]:
    for function, arguments in ours(experiment, ACTIONS):
        if function in FAULT_ACTIONS:
            parameters = fault_parameters(arguments)
            if function == "flap":
                flapping_of(arguments)
            yield fault_name(arguments), make_faults(arguments.get("fault", ""), arguments.get("where", ""), parameters)


def _promises(experiment: Mapping[str, Any]) -> Iterator[str]:
    for function, arguments in ours(experiment, PROBES):
        if function in PROMISE_PROBES:
            yield str(arguments.get("guarantee"))


def _clients(
    experiment: Mapping[str, Any], loads: Sequence[LoadWish], consumers: Sequence[ConsumersWish]
) -> frozenset[str]:
    """Names of clients that run in processes of their own, which faults can hit."""
    given = list(ours(experiment, ACTIONS))
    loads = [*loads, *(load_of(each) for function, each in given if function == "start_load")]
    consumers = [*consumers, *(consumers_of(each) for function, each in given if function == "start_consumers")]
    names = {name for load in loads if load.process for name in load.clients()}
    members: Counter[str] = Counter()
    for each in consumers:
        first = members[each.group]
        members[each.group] += each.members
        if each.process:
            names.update(f"{each.group}-{number + 1}" for number in range(first, members[each.group]))
    return frozenset(names)


def _check_activities(experiment: Mapping[str, Any], faults: frozenset[str], groups: set[str]) -> None:
    """What is healed, waited for, asked and stopped must be there. Raises SettingsError."""
    given = list(ours(experiment, ACTIONS))
    asked = list(ours(experiment, PROBES))
    groups = groups | {consumers_of(each).group for function, each in given if function == "start_consumers"}
    for function, arguments in given:
        if function == "heal" and arguments.get("name") not in faults:
            raise SettingsError(unknown_fault(arguments.get("name"), faults))
        if function == "wait_until":
            wait = wait_of(arguments)
            asked.append((wait.probe, wait.arguments))
        if function == "stop_consumers":
            _check_group(arguments.get("group", CONSUMERS.group), groups)
    for probe, arguments in asked:
        check_probe(probe, arguments)
        if probe == "consumer_lag":
            _check_group(arguments.get("group", CONSUMERS.group), groups)


def _check_running(experiment: Mapping[str, Any], known: set[str]) -> None:
    """Raises SettingsError where it is asked whether something runs that is not there."""
    waits = (wait_of(each) for function, each in ours(experiment, ACTIONS) if function == "wait_until")
    asked = [*ours(experiment, PROBES), *((wait.probe, wait.arguments) for wait in waits)]
    for node in (arguments.get("node") for probe, arguments in asked if probe == "running"):
        if node not in known:
            raise SettingsError(
                f"running: there is no node or client process {node!r}; there are {', '.join(sorted(known))}"
            )


def _check_group(group: Any, groups: set[str]) -> None:
    if group not in groups:
        raise SettingsError(f"no group {group!r} is ever started; there are {', '.join(sorted(groups)) or 'none'}")


def unknown_fault(name: Any, faults: frozenset[str]) -> str:
    """What is said where something is healed that the file never breaks."""
    return f"no fault of this experiment is called {name!r}; there are {', '.join(sorted(faults)) or 'none'}"


def _check_place(fault: Fault, deployment: Deployment, clients: frozenset[str]) -> None:
    nodes = nodes_of(deployment)
    if fault.link is not None:
        server = fault.link.partition(ARROW)[2]
        if not any(fnmatchcase(node, server) for node in nodes):
            raise SettingsError(f"{fault}: no server is called {server!r}; there are {', '.join(nodes)}")
    elif fault.node not in {*nodes, *clients}:
        known = ", ".join([*nodes, *sorted(clients)])
        raise SettingsError(
            f"{fault}: there is no such node or client process; there are {known} (a client is a process of its own "
            f"with `process: true`)"
        )


def _check_target(fault: Fault, target: Target, deployment: Deployment) -> None:
    needed = [fault.needs]
    peer = (fault.link or "").partition(ARROW)[0]
    if peer and any(fnmatchcase(node, peer) for node in nodes_of(deployment)):
        needed.append("server-links")
    for need in needed:
        if need not in target.capabilities:
            why = target.lacking.get(need, f"its nodes cannot be given {need!r}")
            way = "" if need in target.lacking else "; run it on a target that can, such as --target reference"
            raise SettingsError(f"{fault} cannot be done on {target.name}: {why}{way}")


def _broker(given: Any) -> BrokerSpec:
    if isinstance(given, str):
        return BrokerSpec(given)
    known = {each.name for each in fields(BrokerSpec)}
    if not isinstance(given, Mapping) or "name" not in given or set(given) - known:
        raise SettingsError(f"a broker is {given!r}; write its name, or a table of {', '.join(sorted(known))}")
    name, settings = str(given["name"]), table("brokers: settings", given.get("settings", {}))
    return BrokerSpec(name, dict(settings), whole("slaves", given.get("slaves", 0), least=0))


def _seed(given: Any) -> int | None:
    if given is None or given == "":
        return None
    seed = whole("seed", given, least=0)
    if seed > SEED_MAX:
        raise SettingsError(f"seed is {seed}; it must be at most {SEED_MAX}")
    return seed
