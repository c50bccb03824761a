"""The pytest side of what people's own tests are given: RocketMQ servers, clusters, and faults for them.

Bodies of the plugin's fixtures; imported when one is asked for. What they give is `mqcheck.embedded`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final

import pytest

from mqcheck.embedded.cluster import Nodes, RocketMQCluster, RocketMQServer
from mqcheck.embedded.faults import RocketMQFaults
from mqcheck.embedded.house import House
from mqcheck.errors import SettingsError

OF_SERVER: Final = ("settings", "flush")
"""What the mark may say about `rocketmq_server`."""

OF_CLUSTER: Final = (*OF_SERVER, "brokers", "slaves", "nameservers")
"""What the mark may say at all: the arguments of `rocketmq_cluster`."""


class Faults(RocketMQFaults):
    """Faults for `rocketmq_server`, and for clusters by `on`."""

    def __init__(self, house: House, request: pytest.FixtureRequest) -> None:
        self._house = house
        self._request = request
        self._others: dict[Nodes, RocketMQFaults] = {}

    def __getattr__(self, name: str) -> Any:
        """The server is started when the first fault needs it: a test of a cluster does not."""
        if name not in ("_nodes", "_links", "_injected"):
            raise AttributeError(name)
        server: RocketMQServer = self._request.getfixturevalue("rocketmq_server")
        self.__dict__ |= vars(self._house.faults(server))
        return self.__dict__[name]

    def on(self, nodes: Nodes) -> RocketMQFaults:
        """Faults for this cluster, or another server; healed with all others."""
        if nodes not in self._others:
            self._others[nodes] = self._house.faults(nodes)
        return self._others[nodes]

    def heal_all(self) -> None:
        """See `RocketMQFaults`; those on clusters too."""
        troubles: list[Exception] = []
        for heal in [each.heal_all for each in self._others.values()] + (
            [super().heal_all] if "_injected" in self.__dict__ else []
        ):
            try:
                heal()
            except Exception as error:
                troubles.append(error)
        if troubles:
            raise troubles[0]


def server_of(request: pytest.FixtureRequest, house: House) -> Iterator[RocketMQServer]:
    """The body of `rocketmq_server`."""
    wanted = marked(request)
    if (others := wanted.keys() - set(OF_SERVER)) and "rocketmq_cluster" not in request.fixturenames:
        pytest.fail(
            f"the mark mqcheck says {', '.join(sorted(others))}, which is for rocketmq_cluster: rocketmq_server is one "
            f"NameServer and one broker",
            pytrace=False,
        )
    settings = dict(wanted.get("settings", {}))
    if "flush" in wanted:
        settings.setdefault("flushDiskType", wanted["flush"])
    server = house.server(settings)
    yield server
    house.give_back(server)


def clusters_of(request: pytest.FixtureRequest, house: House) -> Iterator[Callable[..., RocketMQCluster]]:
    """The body of `rocketmq_cluster`."""
    made: list[RocketMQCluster] = []

    def make(**wanted: Any) -> RocketMQCluster:
        if wrong := wrong_in(wanted):
            raise SettingsError(f"rocketmq_cluster {wrong}")
        made.append(house.cluster(**{**marked(request), **wanted}))
        return made[-1]

    yield make
    troubles: list[Exception] = []
    for cluster in made:
        try:
            house.give_back(cluster)
        except Exception as error:
            troubles.append(error)
    if troubles:
        raise troubles[0]


def faults_of(request: pytest.FixtureRequest, house: House) -> Iterator[Faults]:
    """The body of `rocketmq_faults`; the server is set up first, so that faults are healed while it is there."""
    if "rocketmq_server" in request.fixturenames:
        request.getfixturevalue("rocketmq_server")
    faults = Faults(house, request)
    yield faults
    faults.heal_all()


def marked(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What the marks of a test say, the nearest one first; settings are put together. Fails the test where one says
    something that there is not.
    """
    wanted: dict[str, Any] = {}
    for mark in reversed(list(request.node.iter_markers("mqcheck"))):
        if mark.args:
            pytest.fail(
                f"the mark mqcheck takes no {mark.args[0]!r}: write name=value ({', '.join(OF_CLUSTER)})", False
            )
        if wrong := wrong_in(mark.kwargs):
            pytest.fail(f"the mark mqcheck {wrong}", pytrace=False)
        settings = {**wanted.get("settings", {}), **mark.kwargs.get("settings", {})}
        wanted |= {**mark.kwargs, **({"settings": settings} if settings else {})}
    return wanted


def wrong_in(wanted: Mapping[str, Any]) -> str:
    """What is wrong with a name that is not one of `OF_CLUSTER`, or with settings that are no mapping; or nothing."""
    for name in wanted.keys() - set(OF_CLUSTER):
        near = get_close_matches(name, OF_CLUSTER, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        return f"knows no {name!r}: there are {', '.join(OF_CLUSTER)}{hint}"
    if not isinstance(wanted.get("settings", {}), Mapping):
        return f"has {wanted['settings']!r} as settings: write a mapping of RocketMQ's properties to values"
    return ""
