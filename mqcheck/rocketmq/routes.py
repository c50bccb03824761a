"""Routes: from the JSON of a NameServer to values, and their rows in the history.

Asking is the client's and the admin's; which broker to use is the producer's and the consumer's.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from mqcheck.errors import FrameError, UnansweredError, UnsentError
from mqcheck.history.recorder import Recorder
from mqcheck.rocketmq.codes import RequestCode, ResponseCode
from mqcheck.rocketmq.connection import Connection
from mqcheck.rocketmq.frame import Command, loads_loose
from mqcheck.rocketmq.models import BrokerRoute, Route, RouteAnswer


def node_name(broker: str, broker_id: int) -> str:
    """A broker node's name in the history: the broker's own for the master, ``-slave``, ``-slave2``, … for others."""
    if broker_id == 0:
        return broker
    return f"{broker}-slave" if broker_id == 1 else f"{broker}-slave{broker_id}"


def parse_route(topic: str, body: bytes) -> tuple[Route, bool]:
    """The route, and whether its JSON was strict (ns-json). Raises FrameError."""
    try:
        read = loads_loose(body)
        clusters = {item["brokerName"]: item for item in read.get("brokerDatas") or ()}
        brokers = [
            _broker(item, clusters[item["brokerName"]])
            for item in read.get("queueDatas") or ()
            if item["brokerName"] in clusters
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FrameError(f"route of {topic} cannot be read: {error!r}: {body[:200]!r}") from error
    return Route(topic, tuple(sorted(brokers, key=lambda broker: broker.broker))), is_strict(body)


def _broker(queues: dict[str, Any], broker: dict[str, Any]) -> BrokerRoute:
    return BrokerRoute(
        broker=str(broker["brokerName"]),
        cluster=str(broker.get("cluster", "")),
        addresses={int(number): str(address) for number, address in broker["brokerAddrs"].items()},
        perm=int(queues["perm"]),
        read_queues=int(queues["readQueueNums"]),
        write_queues=int(queues["writeQueueNums"]),
    )


def is_strict(body: bytes) -> bool:
    """True for JSON by the book."""
    try:
        json.loads(body)
    except ValueError:
        return False
    return True


async def ask_route(
    recorder: Recorder,
    connection: Connection,
    topic: str,
    known: Sequence[str],
    timeout_s: float,
    *,
    member: str | None = None,
) -> RouteAnswer:
    """Ask for a route on an open connection and write its rows; never raises for what the NameServer does.

    One row per broker that the answer lists and one per broker in ``known`` that it does not; they share
    ``invoked`` and ``returned``. ``member``: the client that asks for its own use; None: a look of the kit.
    """
    rows = _Rows(recorder, connection.peer.node, topic, known, member)
    command = Command(code=RequestCode.GET_ROUTEINFO_BY_TOPIC, fields={"topic": topic})
    try:
        answer = await connection.request(command, timeout_s, rows.first)
    except UnsentError:
        return rows.failed("unsent")
    except UnansweredError:
        return rows.failed("unknown")
    if answer.code != ResponseCode.SUCCESS:
        return rows.answered("error" if answer.code != ResponseCode.TOPIC_NOT_EXIST else "ok", answer.code, None, None)
    try:
        route, strict = parse_route(topic, answer.body)
    except FrameError:
        return rows.failed("error", answer.code)
    return rows.answered("ok", answer.code, route, strict)


class _Rows:
    """The rows of one route request."""

    def __init__(
        self, recorder: Recorder, nameserver: str, topic: str, known: Sequence[str], member: str | None
    ) -> None:
        self._recorder = recorder
        self._columns: dict[str, Any] = {"nameserver": nameserver, "topic": topic, "member": member}
        self._columns["t"] = recorder.clock.monotonic_ns()
        self._ops: dict[str | None, int] = {
            broker: recorder.begin("routes", broker=broker, **self._columns) for broker in (known or (None,))
        }
        self.first = next(iter(self._ops.values()))

    def failed(self, outcome: Any, code: int | None = None) -> RouteAnswer:
        returned = self._recorder.clock.monotonic_ns()
        for op in self._ops.values():
            self._recorder.end("routes", op, outcome=outcome, code=code, t=returned)
        return RouteAnswer(outcome, code, None)

    def answered(self, outcome: Any, code: int, route: Route | None, strict: bool | None) -> RouteAnswer:
        listed = {broker.broker: broker for broker in route.brokers} if route else {}
        returned = self._recorder.clock.monotonic_ns()
        common = {"outcome": outcome, "code": code, "strict": strict, "t": returned}
        for name, broker in listed.items():
            op = self._ops.pop(name, None) or self._ops.pop(None, None)
            if op is None:
                op = self._recorder.begin("routes", broker=name, **self._columns)
            self._listed(op, broker, common)
        for op in self._ops.values():
            self._recorder.end("routes", op, listed=False, **common)
        return RouteAnswer(outcome, code, route, strict)

    def _listed(self, op: int, broker: BrokerRoute, common: dict[str, Any]) -> None:
        first_id = min(broker.addresses, default=None)
        self._recorder.end(
            "routes",
            op,
            listed=True,
            broker=broker.broker,
            broker_id=first_id,
            address=None if first_id is None else broker.addresses[first_id],
            perm=broker.perm,
            read_queues=broker.read_queues,
            write_queues=broker.write_queues,
            **common,
        )
