"""What lasted: phases, faults, lives of nodes, connections of clients, memberships, stalls of the kit itself."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

import duckdb

from mqcheck.timeline.span import Span

CONNECTIONS_MAX: Final = 240
"""Drawn in one timeline, the longest first; ours: more are too thin to be seen."""
STALLS_MAX: Final = 60
"""Longest first; ours."""
STEPS_MAX: Final = 200
"""Changes of membership, the first; ours."""
QUEUES_TOLD_MAX: Final = 6
"""Queues named in one change; ours."""
FAULTS_MAX: Final = 60
"""In order of time; ours: the table of faults has them all."""

_STEPS: Final = """
SELECT member, consumer_group, kind, min(t) AS at_ns, count(*) AS many,
    list(topic || ' ' || broker || '/' || queue ORDER BY topic, broker, queue) AS queues
FROM members WHERE kind IN ('assigned', 'revoked', 'closed', 'unregistered') AND member IS NOT NULL
GROUP BY member, consumer_group, kind, t // 20000000
ORDER BY at_ns, member, kind
"""
"""Changes within 20 ms are one: a rebalance gives a member its queues one after the other."""

_MEMBERS: Final = """
SELECT member, consumer_group, min(coalesce(asked, t)), max(CASE WHEN kind IN ('closed', 'unregistered') THEN t END),
    max(t)
FROM members WHERE member IS NOT NULL AND consumer_group IS NOT NULL
GROUP BY member, consumer_group ORDER BY min(t), member, consumer_group
"""


def lanes(connection: duckdb.DuckDBPyConnection, span: Span) -> tuple[dict[str, Any], dict[str, int]]:
    """Everything that is drawn as a bar, times in ms since the start, and how much of it was left out.

    ``phases``: [name, began, ended]. ``faults``: dictionaries. ``nodes``: name, role, lives. ``connections``:
    [client, server, opened, closed, closed by]. ``members``: [member, group, from, until, whether it left]. ``steps``:
    [at, member, group, kind, text]. ``stalls``: [process, began, ended].
    """
    connections, cut = _connections(connection, span)
    steps = _steps(connection, span)
    stalls = _rows(connection, "SELECT coalesce(part, process), began, ended FROM stalls ORDER BY ended - began DESC")
    faults = _faults(connection, span)
    left_out = {
        "connections": cut,
        "membership changes": max(0, len(steps) - STEPS_MAX),
        "stalls": max(0, len(stalls) - STALLS_MAX),
        "faults": max(0, len(faults) - FAULTS_MAX),
    }
    phases = _rows(connection, "SELECT name, began, ended FROM phases ORDER BY began")
    members = _rows(connection, _MEMBERS)
    found = {
        "phases": [[name, span.ms(began), span.ms(ended)] for name, began, ended in phases],
        "faults": faults[:FAULTS_MAX],
        "nodes": _nodes(connection, span),
        "connections": connections,
        "members": [[who, group, span.ms(a), span.ms(z or last), z is not None] for who, group, a, z, last in members],
        "steps": steps[:STEPS_MAX],
        "stalls": sorted([who, span.ms(began), span.ms(ended)] for who, began, ended in stalls[:STALLS_MAX]),
    }
    return found, {name: count for name, count in left_out.items() if count}


def _rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[tuple[Any, ...]]:
    return connection.execute(query).fetchall()


def _faults(connection: duckdb.DuckDBPyConnection, span: Span) -> list[dict[str, Any]]:
    query = (
        "SELECT kind, node, link, direction, began, active, healing, healed, confirmed, effect, parameters "
        "FROM faults WHERE began IS NOT NULL ORDER BY began, op"
    )
    found = []
    for kind, node, link, direction, began, active, healing, healed, confirmed, effect, parameters in _rows(
        connection, query
    ):
        times = {"began": began, "active": active, "healing": healing, "healed": healed}
        fault = {"kind": kind, "on": link or node or "", **{name: span.ms(at) for name, at in times.items()}}
        more = {"node": node, "direction": direction, "effect": _short(effect), "parameters": _short(parameters)}
        found.append({**fault, "confirmed": bool(confirmed), **{key: value for key, value in more.items() if value}})
    return found


def _short(text: str | None) -> str:
    """A JSON object as a few words: ``dropped_bytes 512, torn true``; what is nested is left to the report."""
    if not text:
        return ""
    try:
        data = json.loads(text)
    except ValueError:
        return text[:200]
    if not isinstance(data, dict):
        return str(data)[:200]
    flat = [(key, value) for key, value in data.items() if not isinstance(value, (dict, list)) and value is not None]
    return ", ".join(f"{key} {json.dumps(value) if isinstance(value, bool) else value}" for key, value in flat)[:200]


def _nodes(connection: duckdb.DuckDBPyConnection, span: Span) -> list[dict[str, Any]]:
    query = (
        "SELECT node, role, broker_id, life, spawned, ready, ending, ended, how, version, address FROM nodes "
        "WHERE node IS NOT NULL ORDER BY role, node, life, spawned"
    )
    nodes: dict[str, dict[str, Any]] = {}
    for node, role, broker_id, life, spawned, ready, ending, ended, how, version, address in _rows(connection, query):
        entry = nodes.setdefault(node, {"node": node, "role": role or "", "lives": []})
        entry["version"] = version or entry.get("version", "")
        entry["address"] = address or entry.get("address", "")
        if broker_id:
            entry["slave"] = broker_id
        entry["lives"].append([life, span.ms(spawned), span.ms(ready), span.ms(ending), span.ms(ended), how or ""])
    return sorted(nodes.values(), key=lambda entry: (entry["role"] != "nameserver", entry["node"]))


def _connections(connection: duckdb.DuckDBPyConnection, span: Span) -> tuple[list[list[Any]], int]:
    query = (
        "SELECT link, node, opened, closed, closed_by FROM connections WHERE opened IS NOT NULL "
        f"ORDER BY coalesce(closed, {span.end_ns}) - opened DESC, opened, op LIMIT {CONNECTIONS_MAX}"
    )
    rows = _rows(connection, query)
    ((total,),) = _rows(connection, "SELECT count(*) FROM connections WHERE opened IS NOT NULL")
    found = []
    for link, node, opened, closed, closed_by in rows:
        client, _, server = (link or "").partition("->")
        found.append([client, server or node or "", span.ms(opened), span.ms(closed), closed_by or ""])
    return sorted(found, key=lambda each: (each[0], each[1], each[2])), total - len(rows)


def _steps(connection: duckdb.DuckDBPyConnection, span: Span) -> list[list[Any]]:
    found = []
    for member, group, kind, at, many, queues in _rows(connection, _STEPS):
        found.append([span.ms(at), member, group or "", kind, _queues(kind, many, [each for each in queues if each])])
    return found


def _queues(kind: str, many: int, queues: Sequence[str]) -> str:
    if not queues:
        return kind
    told = ", ".join(queues[:QUEUES_TOLD_MAX]) + (", …" if len(queues) > QUEUES_TOLD_MAX else "")
    return f"{kind} {many} queue{'' if many == 1 else 's'}: {told}"
