"""What tests are given to connect to: one process with everything, or a cluster of NameServers, brokers and slaves.

Both are nodes with looks at them and a clock that can be moved. Pytest is `mqcheck.fixtures`'.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

from mqcheck.embedded.durations import milliseconds
from mqcheck.embedded.looks import Looks
from mqcheck.embedded.node import Node
from mqcheck.errors import NodeError, SettingsError
from mqcheck.guard import Guard

ROUTES_SECONDS_MAX: Final = 30.0
"""How long brokers may take until every NameServer has all of them; they register before they are ready. Ours."""

FLUSH_TYPES: Final = ("ASYNC_FLUSH", "SYNC_FLUSH")
"""What may be chosen as `flush`."""

LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
"""Broker names end with them."""


class Nodes(Looks):
    """Nodes that belong together, and what tests do with them. Methods raise NodeError."""

    nodes: Mapping[str, Node]
    """Every process by name."""
    store: Path
    """Where brokers keep what they keep."""
    nameserver_address: str
    """What clients are to be given: "host:port", several joined by ";"; the same through all lives."""

    def broker_places(self) -> Mapping[str, tuple[str, int, str]]:
        """Every broker by its node's name: brokerName, brokerId, address."""
        return {name: (name, 0, address) for name, address in self.broker_addresses.items()}

    @property
    def running(self) -> bool:
        """Whether every process runs."""
        return all(node.running for node in self.nodes.values())

    @property
    def ahead_ms(self) -> int:
        """How far its clock is ahead of true."""
        return max(node.ahead_ms for node in self.nodes.values())

    def start(self) -> None:
        """Start what does not run, and wait until it serves; with the end of a log in the error when it does not."""
        for node in self.nodes.values():
            node.spawn()
        for node in self.nodes.values():
            node.wait_ready()

    def stop(self) -> None:
        """End every process cleanly, or at once when that takes too long. Idempotent; `start` begins the next life."""
        for node in reversed(list(self.nodes.values())):
            node.stop()

    def close(self) -> None:
        """Stop for good, and give the ports back. Idempotent."""
        for node in reversed(list(self.nodes.values())):
            node.close()

    def empty(self) -> None:
        """Drop all topics, groups, messages and offsets, and set the clock right. Whoever is connected stays so."""
        for node in self.nodes.values():
            node.ask(do="empty")
            if node.ahead_ms:
                node.ahead_ms = node.ask(do="advance", to_ms=0)["ahead_ms"]

    def advance(self, duration: str | float | timedelta, *, expire: bool = False) -> None:
        """Let time pass at once for the brokers and NameServers: "2h", "10s", a number of seconds, a timedelta.

        Comes due by it: delayed messages, retries, checks of transactions, the removal of old files. Stored times are
        the new ones.

        Is not moved: the clients. Their timers, heartbeats, time-outs and commits of offsets go on in real time, and
        the times that they stamp are true, so that a half message sent later looks as old as the clock is ahead, and is
        asked about at the next check (at once after another `advance` of a check's interval). Members of groups, queue
        locks and registered brokers stay as old as they were, unless `expire` says that they, too, have been silent for
        so long. What a broker does by its own timers without the wall clock (closing idle connections, the end of a
        request to another server) takes its real time.

        `empty`, and with it the end of a test, sets the clock right again.
        """
        ms = milliseconds(duration)
        if ms < 0:
            raise SettingsError(
                f"{duration!r} would go back in time: advance goes forward, empty() sets the clock right"
            )
        for node in self.nodes.values():
            node.ahead_ms = node.ask(do="advance", ms=ms, expire=expire)["ahead_ms"]

    def create_topic(self, topic: str, queues: int = 4) -> None:
        """Make a topic on every master, with `queues` queues on each; the routes have it when this returns.

        For consumers that are started before the first message is sent: official clients ask for the route of a topic
        that there is not yet only every 10 to 30 s. NodeError when a broker refuses the name.
        """
        from mqcheck.embedded.asking import Line
        from mqcheck.rocketmq.codes import RequestCode

        fields = {
            "topic": topic,
            "defaultTopic": "TBW102",
            "readQueueNums": queues,
            "writeQueueNums": queues,
            "perm": 6,
            "topicFilterType": "SINGLE_TAG",
            "topicSysFlag": 0,
            "order": False,
        }
        for broker, address in self.broker_addresses.items():
            with Line(address) as line:
                answer = line.ask(RequestCode.UPDATE_AND_CREATE_TOPIC, fields)
            if answer.code != 0:
                raise NodeError(f"{broker} makes no topic {topic!r}: {answer.code} {answer.remark}")
        brokers = set(self.broker_addresses)
        for nameserver in self.nameserver_address.split(";"):
            _until(partial(_without_queues, nameserver, topic, brokers), f"not in the route of {topic!r}")

    def node(self, name: str | None, *, broker: bool = False) -> Node:
        """A node by name; without one the only there is (with `broker`: that has a broker). SettingsError otherwise."""
        fitting = {each: node for each, node in self.nodes.items() if not broker or node.role != "namesrv"}
        if name is None and len(fitting) == 1:
            return next(iter(fitting.values()))
        if name not in fitting:
            raise SettingsError(f"which node? {name!r} is none of {', '.join(fitting)}")
        return fitting[name]


class RocketMQServer(Nodes):
    """A NameServer and a broker in one process, on free ports of 127.0.0.1."""

    broker_address: str
    """The broker behind it; clients find it by themselves."""
    settings: Mapping[str, Any]
    """Effective values by RocketMQ's property names, `namesrv` and `broker`."""

    def __init__(
        self, folder: Path, properties: Mapping[str, object], guard: Guard, *, store: Path | None = None
    ) -> None:
        self.store = store or folder / "store"
        told = {"storePathRootDir": self.store, **properties}
        self._node = Node("rocketmq_server", "all", folder, told, guard, Path(str(told["storePathRootDir"])))
        self.nodes = {"rocketmq_server": self._node}

    @property
    def broker_addresses(self) -> Mapping[str, str]:
        """The one broker, by its brokerName."""
        return {self.settings["broker"]["brokerName"]: self.broker_address}

    @property
    def pid(self) -> int:
        """Of the server's process. Raises NodeError when it is not running."""
        return self._node.pid

    def start(self) -> None:
        """Start it, unless it runs; raises NodeError with the end of its log when it is not ready in time."""
        super().start()
        ready = self._node.ready
        self.nameserver_address = ready["address"]
        self.broker_address = ready["broker"]["address"]
        self.settings = {"namesrv": ready["namesrv"]["settings"], "broker": ready["broker"]["settings"]}


class RocketMQCluster(Nodes):
    """NameServers, brokers and their slaves, a process each, on free ports of 127.0.0.1.

    Their names: "nameserver-1", …; "broker-a", "broker-b", …; "broker-a-slave", "broker-a-slave2", …
    """

    def __init__(
        self,
        folder: Path,
        guard: Guard,
        *,
        nameservers: int = 1,
        brokers: int = 1,
        slaves: int = 0,
        flush: str = "ASYNC_FLUSH",
        settings: Mapping[str, object] | None = None,
        ports: tuple[Sequence[int], Sequence[int]] = ((), ()),
    ) -> None:
        """Starts nothing. `slaves` of each broker. `settings`: RocketMQ's properties for every broker; "namesrv.KEY"
        for the NameServers. `ports` of NameServers and of brokers (masters, then slaves); none: free ones, held for
        them. SettingsError for impossible numbers.
        """
        for name, value, least, most in (
            ("nameservers", nameservers, 1, 8),
            ("brokers", brokers, 1, len(LETTERS)),
            ("slaves", slaves, 0, 8),
        ):
            if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
                raise SettingsError(f"{name} is {value!r}: a whole number from {least} to {most}")
        if flush not in FLUSH_TYPES:
            raise SettingsError(f"flush is {flush!r}: one of {', '.join(FLUSH_TYPES)}")
        self.slaves = slaves
        self.store = folder / "stores"
        self._folder, self._guard = folder, guard
        wanted = dict(settings or {})
        of_nameservers = {
            key.removeprefix("namesrv."): wanted.pop(key) for key in list(wanted) if "namesrv." in key[:8]
        }
        of_brokers = {"flushDiskType": flush} | {key.removeprefix("broker."): value for key, value in wanted.items()}
        names = [f"nameserver-{number}" for number in range(1, nameservers + 1)]
        self.nodes = self._nameservers = {
            name: Node(name, "namesrv", folder, {**of_nameservers, **_port(ports[0], number)}, guard, None)
            for number, name in enumerate(names)
        }
        self._broker_ports = ports[1]
        self._wanted = of_brokers
        self._places: dict[str, tuple[str, int, str]] = {}
        self._names = [f"broker-{LETTERS[number]}" for number in range(brokers)]

    @property
    def broker_addresses(self) -> Mapping[str, str]:
        """Masters by brokerName."""
        return {name: self.nodes[name].address for name in self._names}

    def start(self) -> None:
        """Start what does not run: NameServers first, then masters and slaves at once; until every route is there."""
        for node in self._nameservers.values():
            node.spawn()
        for node in self._nameservers.values():
            node.wait_ready()
        self.nameserver_address = ";".join(node.address for node in self._nameservers.values())
        if len(self.nodes) == len(self._nameservers):
            self.nodes = {**self._nameservers, **self._brokers()}
        super().start()
        self._places = {
            name: (str(node.ready["brokerName"]), int(node.ready["settings"]["brokerId"]), node.address)
            for name, node in self.nodes.items()
            if node.role == "broker"
        }
        _until(self._missing_from_routes, "not in the routes")

    def broker_places(self) -> Mapping[str, tuple[str, int, str]]:
        """See `Nodes`."""
        return dict(self._places)

    def empty(self) -> None:
        """See `Nodes`; NodeError where there are slaves: they have copied what would be gone."""
        if self.slaves:
            raise NodeError("a cluster with slaves cannot be emptied: its slaves keep their copies; take a new one")
        super().empty()

    def _brokers(self) -> dict[str, Node]:
        """Masters, then slaves; their NameServers have addresses by now."""
        made: dict[str, Node] = {}
        for number in range(1 + self.slaves):
            for broker in self._names:
                name = broker if number == 0 else f"{broker}-slave{number if number > 1 else ''}"
                store = self.store / name
                told = {
                    "brokerRole": "ASYNC_MASTER",
                    **self._wanted,
                    "brokerName": broker,
                    "brokerId": number,
                    "namesrvAddr": self.nameserver_address,
                    "storePathRootDir": store,
                    **_port(self._broker_ports, len(made)),
                }
                if number:
                    told["brokerRole"] = "SLAVE"
                made[name] = Node(name, "broker", self._folder, told, self._guard, store)
        return made

    def _missing_from_routes(self) -> set[str]:
        from mqcheck.embedded.asking import Line
        from mqcheck.rocketmq.codes import RequestCode

        missing: set[str] = set()
        for name, node in self._nameservers.items():
            with Line(node.address) as line:
                table = line.table(RequestCode.GET_BROKER_CLUSTER_INFO, "brokerAddrTable")
            known = {address for data in table.values() for address in data["brokerAddrs"].values()}
            missing |= {
                f"{broker} at {name}"
                for broker, its in self.nodes.items()
                if its.role == "broker" and its.address not in known
            }
        return missing


def _port(ports: Sequence[int], number: int) -> dict[str, int]:
    return {"listenPort": ports[number]} if ports else {}


def _until(missing: Callable[[], set[str]], what: str) -> None:
    """Wait until nothing is missing; NodeError after `ROUTES_SECONDS_MAX`."""
    end = time.monotonic() + ROUTES_SECONDS_MAX
    while found := missing():
        if time.monotonic() > end:
            raise NodeError(f"{what} after {ROUTES_SECONDS_MAX} s: {', '.join(sorted(found))}")
        time.sleep(0.01)


def _without_queues(nameserver: str, topic: str, brokers: set[str]) -> set[str]:
    """Those of the brokers that the route of a topic does not name."""
    from mqcheck.embedded.asking import Line
    from mqcheck.rocketmq.codes import RequestCode
    from mqcheck.rocketmq.frame import loads_loose

    with Line(nameserver) as line:
        answer = line.ask(RequestCode.GET_ROUTEINFO_BY_TOPIC, {"topic": topic})
    route = loads_loose(answer.body) if answer.code == 0 else {}
    queues = route.get("queueDatas", ()) if isinstance(route, dict) else ()
    return brokers - {each["brokerName"] for each in queues}
