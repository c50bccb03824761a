"""What somebody who uses this process in tests can ask of it over the control socket: time that passes, and frames that
fare badly.

Part of the shell; imported when first asked for. What a moved clock means is each core's to say, what becomes of a
frame is ``interference``'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from reference_impl.interference import Interference, rule_of
from reference_impl.node import BrokerNode, NameServerNode

Node = NameServerNode | BrokerNode

AHEAD_MS_MAX: Final = 10 * 366 * 24 * 3_600_000
"""Furthest from true that a clock can be: about ten years; ours."""


class MovableClock(Protocol):
    """Wall clock of this process."""

    ahead_ms: int
    """How far it is from true."""

    def __call__(self) -> int:
        """Milliseconds."""


def advance(clock: MovableClock, nodes: Sequence[Node], asked: Mapping[str, Any]) -> Mapping[str, Any]:
    """``{"do": "advance", "ms": N, "expire": false}``: time passes at once; negative: it is taken back.

    ``"to_ms": N`` instead of ``ms`` sets how far ahead of true the clock is; the answer's ``ahead_ms`` tells that.
    ValueError for what is no time.
    """
    name = "to_ms" if "to_ms" in asked else "ms"
    by_ms, expire = asked.get(name), asked.get("expire", False)
    if not isinstance(by_ms, int) or not isinstance(expire, bool) or asked.keys() - {"do", name, "expire"}:
        raise ValueError("write ms (or to_ms) as a whole number, and expire as true or false")
    if name == "to_ms":
        by_ms -= clock.ahead_ms
    if abs(clock.ahead_ms + by_ms) > AHEAD_MS_MAX:
        raise ValueError(f"{clock.ahead_ms + by_ms} ms from true: at most {AHEAD_MS_MAX}")
    clock.ahead_ms += by_ms
    for node in nodes:
        node.clock_moved(by_ms, expire=expire)
    return {"ahead_ms": clock.ahead_ms}


def frames(clock: MovableClock, nodes: Sequence[Node], asked: Mapping[str, Any]) -> Mapping[str, Any]:
    """``{"do": "frames", "begin": {…}}`` puts a rule into force (``interference.Rule``) and answers its ``rule``;
    ``"end"`` and ``"counts"`` take that number, and answer what it did. ``"of": "namesrv"``: where both roles are here.

    ValueError for a rule that there is not, or that makes no sense.
    """
    node = _node(nodes, asked.get("of"))
    if isinstance(asked.get("begin"), dict):
        rule = rule_of(asked["begin"])
        return {"rule": _interference(node).begin(rule)}
    if isinstance(number := asked.get("counts"), int):
        return _interference(node).counts(number)
    if isinstance(number := asked.get("end"), int):
        interference = _interference(node)
        counts, effects = interference.end(clock(), number)
        node.server.carry(effects)
        if interference.idle:
            node.server.core = interference.inner
        return counts
    raise ValueError("write begin with a rule, or counts or end with its number")


def _node(nodes: Sequence[Node], of: object) -> Node:
    found = [node for node in nodes if isinstance(node, NameServerNode) == (of == "namesrv")]
    if of not in (None, "broker", "namesrv") or (not found and of is not None):
        raise ValueError(f"of is {of!r}: it is broker or namesrv, and such a node must be here")
    return (found or nodes)[0]


def _interference(node: Node) -> Interference:
    """The one around a node's core; put there where there is none."""
    core = node.server.core
    if not isinstance(core, Interference):
        core = node.server.core = Interference(core)
    return core
