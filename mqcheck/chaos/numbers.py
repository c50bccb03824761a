"""The numbers of an experiment, computed from its recorded history in SQL: RTO, RPO, availability, latency, backlog.

What each number means is said in `DEFINITIONS`, which travel with the numbers. Nothing is judged here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import duckdb

from mqcheck.faults.power import PowerCut
from mqcheck.faults.store import BadTail, LostQueues
from mqcheck.history.loader import load
from mqcheck.runner import KIT

FORMAT: Final = 1
"""Of numbers.json."""
STEADY_MS: Final = 1_000
"""For so long nothing may fail or be missing before an operation is steady again. Ours."""
GAP_MS_MIN: Final = 500
"""Shortest pause between two successes that counts as an interruption. Ours: some ten times a usual pause."""
GAP_TIMES: Final = 2
"""A pause counts as an interruption from so many times the longest usual one. Ours."""
USUAL_MIN: Final = 8
"""Successes before the first fault without which nobody knows what a usual pause is. Ours."""
STEP_MS_MIN: Final = 250
STEPS_MAX: Final = 200
"""Of a backlog curve; ours."""

DEFINITIONS: Final = {
    "episode": "Faults whose times overlap: from the first one's begin to the last one's heal.",
    "disturbed": "An operation failed, or its successes paused: for longer than 500 ms and than twice the longest of "
    "99 % of the pauses before the first fault. What the kit itself stood still of it is no pause. Left out: "
    "operations with fewer than 8 successes before it.",
    "rto": "From the episode's begin (after_begin_ms) and its heal (after_heal_ms) to the first success from which on "
    "nothing fails or pauses for 1 s, or until the next episode or the end of the load, after the last disturbance "
    "that began before 1 s after the heal; null: not again by then.",
    "rpo": "Messages acknowledged with SEND_OK that no master's final reading has; ms: the longest time from such an "
    "acknowledgement to the next fault that takes what the broker has (a power cut, a damaged store) or, where there "
    "was none, to the next fault of the broker. Unread: their queue could not be read.",
    "availability": "Share of the operations that ended well; down_ms: all interruptions together, where successes "
    "paused; null: nobody knows what a usual pause is.",
    "latency": "Of operations that ended well, by the time at which they began: before, during and after an episode.",
    "redelivery": "Deliveries of a message to a group beyond its first, as a share of all; duplicates: those after "
    "the group had said success for it.",
    "backlog": "Messages acknowledged and not yet done by the group.",
    "send": "A send call, all its attempts together.",
    "deliver": "From a send call to the first moment in which a consumer of a group is given its message; a listener "
    "that does not say success is one that did not end well.",
    "commit": "A consumer's commit of an offset, answered.",
    "route": "A client's question to a NameServer, answered.",
}

_OPERATIONS: Final = """
CREATE TEMP TABLE span AS
SELECT min(invoked) AS began, max(coalesce(returned, invoked)) AS ended FROM sends;
CREATE TEMP TABLE operations AS
SELECT 'send' AS kind, invoked, coalesce(returned, lead(invoked) OVER (
    PARTITION BY process, producer, worker ORDER BY invoked), invoked) AS ended, outcome = 'ok' AS ok
FROM sends WHERE mode <> 'oneway'
UNION ALL
SELECT 'deliver', s.invoked, g.first_at, TRUE FROM got g JOIN sends s ON s.message = g.message
UNION ALL
SELECT 'deliver', received, ended, FALSE FROM handled WHERE result IS NOT NULL AND result <> 'success'
UNION ALL
SELECT 'commit', o.invoked, coalesce(o.returned, o.invoked), o.outcome = 'ok' AND coalesce(o.code, 0) = 0
FROM offsets o WHERE o.kind = 'commit' AND o.member IS NOT NULL
UNION ALL
SELECT 'route', invoked, coalesce(returned, invoked), outcome = 'ok' FROM routes;
DELETE FROM operations WHERE ended < (SELECT began FROM span) OR invoked > (SELECT ended FROM span);
"""

"""When a call ended that was not answered is not kept: before the same worker's next call, which it waited for."""

_EPISODES: Final = """
CREATE TEMP TABLE episodes AS
WITH broken AS (
    SELECT kind, coalesce(node, link) AS place, began,
        coalesce(healed, greatest(began, (SELECT ended FROM span))) AS healed
    FROM faults WHERE began IS NOT NULL
), marked AS (
    SELECT *, CASE WHEN began <= max(healed) OVER (ORDER BY began, healed ROWS BETWEEN UNBOUNDED PRECEDING AND 1
        PRECEDING) THEN 0 ELSE 1 END AS fresh FROM broken
), numbered AS (
    SELECT *, sum(fresh) OVER (ORDER BY began, healed ROWS UNBOUNDED PRECEDING) AS number FROM marked
), merged AS (
    SELECT number, list_sort(list_distinct(list(kind))) AS kinds, list_sort(list_distinct(list(place))) AS places,
        min(began) AS began, max(healed) AS healed FROM numbered GROUP BY number
)
SELECT number::INTEGER AS number, kinds, places, began, healed,
    coalesce(lag(healed) OVER (ORDER BY number), (SELECT began FROM span)) AS before_began,
    greatest(coalesce(lead(began) OVER (ORDER BY number), (SELECT ended FROM span)), began) AS horizon
FROM merged;
"""

_INTERRUPTIONS: Final = f"""
CREATE TEMP TABLE pauses AS
WITH following AS (
    SELECT kind, ended AS began, lead(ended) OVER (PARTITION BY kind ORDER BY ended) AS ended FROM operations WHERE ok
), closed AS (
    SELECT kind, began, ended, coalesce(ended, greatest(began, (SELECT ended FROM span))) AS until FROM following
)
SELECT c.kind, c.began, c.ended, c.until - c.began - coalesce((
    SELECT sum(least(s.ended, c.until) - greatest(s.began, c.began)) FROM stalls s
    WHERE s.process = '{KIT}' AND s.part IS NULL AND s.began < c.until AND s.ended > c.began), 0) AS lasted
FROM closed c;
CREATE TEMP TABLE usual AS
SELECT kind, greatest({GAP_MS_MIN} * 1000000, {GAP_TIMES} * coalesce(quantile_disc(lasted, 0.99)
    FILTER (WHERE ended <= coalesce((SELECT min(began) FROM episodes), (SELECT ended FROM span))), 0)) AS longest
FROM pauses GROUP BY kind
HAVING count(*) FILTER (WHERE began <= coalesce((SELECT min(began) FROM episodes), (SELECT ended FROM span)))
    >= {USUAL_MIN};
CREATE TEMP TABLE interruptions AS
SELECT p.kind, p.began, p.ended, p.lasted, TRUE AS pause FROM pauses p JOIN usual u ON u.kind = p.kind
WHERE p.lasted > u.longest
UNION ALL
SELECT o.kind, o.ended, min(s.ended), 0, FALSE FROM operations o
ASOF LEFT JOIN (SELECT kind, ended FROM operations WHERE ok) s ON s.kind = o.kind AND s.ended >= o.ended
WHERE NOT o.ok GROUP BY o.kind, o.ended;
"""

_RTO: Final = f"""
WITH near AS (
    SELECT e.number, e.horizon, i.kind, max(i.began) AS latest
    FROM episodes e JOIN interruptions i
        ON i.began < least(e.healed + {STEADY_MS} * 1000000, e.horizon) AND coalesce(i.ended, e.horizon) > e.began
    GROUP BY ALL
), steady AS (
    SELECT n.number, n.kind, min(b.ended) AS back FROM near n
    JOIN interruptions b ON b.kind = n.kind AND b.began >= n.latest AND b.ended <= n.horizon
    WHERE NOT EXISTS (
        SELECT 1 FROM interruptions i WHERE i.kind = n.kind AND i.began >= b.ended
            AND i.began < least(b.ended + {STEADY_MS} * 1000000, n.horizon))
    GROUP BY n.number, n.kind
)
SELECT e.number, k.kind, n.number IS NOT NULL AS disturbed,
    CASE WHEN n.number IS NULL THEN 0 ELSE (s.back - e.began) / 1000000.0 END AS after_begin_ms,
    CASE WHEN n.number IS NULL THEN 0 ELSE greatest(s.back - e.healed, 0) / 1000000.0 END AS after_heal_ms
FROM episodes e CROSS JOIN (SELECT kind FROM usual) k
LEFT JOIN near n ON n.number = e.number AND n.kind = k.kind
LEFT JOIN steady s ON s.number = e.number AND s.kind = k.kind
ORDER BY 1, 2
"""
"""`greatest` ignores nulls, so a null `back` would be a heal of 0 ms; see `_rto`."""

_STAGES: Final = """
WITH stages AS (
    SELECT number, 'before' AS stage, before_began AS began, began AS ended FROM episodes
    UNION ALL SELECT number, 'during', began, healed FROM episodes
    UNION ALL SELECT number, 'after', healed, horizon FROM episodes
    UNION ALL SELECT 0, 'whole', began, ended + 1 FROM span
)
SELECT g.number, g.stage, o.kind, count(*) AS ended, count(*) FILTER (WHERE o.ok) AS ended_well,
    quantile_cont((o.ended - o.invoked) / 1000000.0, [0.5, 0.95, 0.99]) FILTER (WHERE o.ok) AS latency_ms,
    max((o.ended - o.invoked) / 1000000.0) FILTER (WHERE o.ok) AS longest_ms
FROM stages g JOIN operations o ON o.invoked >= g.began AND o.invoked < g.ended
GROUP BY ALL ORDER BY 1, 2, 3
"""

_DOWN: Final = """
SELECT u.kind, coalesce(sum(i.lasted), 0) / 1000000.0
FROM usual u LEFT JOIN interruptions i ON i.kind = u.kind AND i.pause GROUP BY u.kind
"""

_TAKING: Final = ", ".join(f"'{fault.kind}'" for fault in (PowerCut, BadTail, LostQueues))
"""Kinds of faults that take what a broker has."""

_RPO: Final = f"""
WITH places AS (
    SELECT topic, broker, queue, max(min_offset) AS first FROM readings
    WHERE reading = 'final' AND master AND complete GROUP BY ALL
), acked AS (
    SELECT s.message, s.broker, s.acked_at, p.first IS NOT NULL AS read_back,
        s.queue_offset IS NULL OR p.first IS NULL OR s.queue_offset >= p.first AS kept
    FROM sent s LEFT JOIN places p ON p.topic = s.topic AND p.broker = s.broker AND p.queue = s.queue
    WHERE s.fate = 'acked' AND s.delay_level = 0 AND NOT s.transactional
), hits AS (
    SELECT coalesce(n.broker, f.node) AS broker, coalesce(f.active, f.began) AS at_ns, f.kind IN ({_TAKING}) AS taking
    FROM faults f LEFT JOIN (SELECT DISTINCT node, broker, broker_id FROM nodes) n ON n.node = f.node
    WHERE f.node IS NOT NULL AND coalesce(n.broker_id, 0) = 0
), lost AS (
    SELECT a.*, coalesce(
        (SELECT min(h.at_ns) FROM hits h WHERE h.broker = a.broker AND h.at_ns >= a.acked_at AND h.taking),
        (SELECT min(h.at_ns) FROM hits h WHERE h.broker = a.broker AND h.at_ns >= a.acked_at)
    ) - a.acked_at AS before_ns FROM acked a
    WHERE a.read_back AND a.kept AND a.message NOT IN (SELECT message FROM logged WHERE message IS NOT NULL)
)
SELECT (SELECT count(*) FROM acked) AS acknowledged, (SELECT count(*) FROM lost) AS lost,
    (SELECT count(*) FROM acked WHERE NOT read_back) AS unread,
    (SELECT count(*) FROM lost WHERE message NOT IN (SELECT message FROM got)) AS lost_undelivered,
    (SELECT max(before_ns) FROM lost) / 1000000.0 AS ms,
    (SELECT map_from_entries(list((broker, lost) ORDER BY broker)) FROM (
        SELECT broker, count(*) FILTER (WHERE message IN (SELECT message FROM lost)) AS lost FROM acked
        GROUP BY broker)) AS lost_by_broker
"""

_DELIVERY: Final = """
SELECT h.consumer_group, count(*) AS deliveries, count(DISTINCT h.message) AS messages,
    count(*) FILTER (WHERE h.received > g.succeeded) AS duplicates
FROM handled h JOIN got g ON g.consumer_group = h.consumer_group AND g.message = h.message
WHERE h.consumer_group NOT IN (SELECT consumer_group FROM subscriptions WHERE mode = 'broadcasting')
GROUP BY h.consumer_group ORDER BY 1
"""

_STALLED: Final = "SELECT coalesce(sum(ended - began), 0) / 1000000.0 FROM stalls"
"""Of all of the kit's processes, one after the other."""

_COPIES: Final = """
SELECT count(*) AS records, count(DISTINCT message) AS messages FROM logged
WHERE message IN (SELECT message FROM sends) AND topic IN (SELECT topic FROM sends)
"""

_BACKLOG: Final = f"""
WITH steps AS (
    SELECT unnest(generate_series(began, ended,
        greatest({STEP_MS_MIN} * 1000000, (ended - began) // {STEPS_MAX}))) AS t FROM span
), owed AS (
    SELECT DISTINCT u.consumer_group, s.message, s.acked_at FROM sent s
    JOIN subscriptions u ON u.topic = s.topic AND coalesce(u.mode, 'clustering') <> 'broadcasting'
    WHERE s.fate = 'acked'
)
SELECT o.consumer_group, (t.t - (SELECT began FROM span)) // 1000000 AS at_ms,
    count(*) FILTER (WHERE o.acked_at <= t.t AND coalesce(g.succeeded, t.t + 1) > t.t) AS messages
FROM steps t CROSS JOIN owed o
LEFT JOIN got g ON g.consumer_group = o.consumer_group AND g.message = o.message
GROUP BY ALL ORDER BY 1, 2
"""


def numbers_of(folder: Path) -> dict[str, Any]:
    """All numbers of the history in a folder, as numbers.json has them; times in ms since the first send call.

    Raises HistoryError and StreamError for what is no history. Called once at the end of an experiment.
    """
    connection = load(folder)
    try:
        return computed(connection)
    finally:
        connection.close()


def computed(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """The numbers of loaded tables and facts; see `numbers_of`."""
    for statements in (_OPERATIONS, _EPISODES, _INTERRUPTIONS):
        connection.execute(statements)
    began, ended = connection.execute("SELECT began, ended FROM span").fetchall()[0]
    if began is None:
        return _nothing_sent()
    stages = _stages(connection)
    down = dict(connection.execute(_DOWN).fetchall())
    return {
        "format": FORMAT,
        "observed_ms": _ms((ended - began) / 1e6),
        "stalled_ms": _ms(connection.execute(_STALLED).fetchall()[0][0]),
        "availability": {
            kind: {**each["availability"], "down_ms": _ms(down[kind]) if kind in down else None}
            for kind, each in stages.get((0, "whole"), {}).items()
        },
        "latency_ms": {kind: each["latency_ms"] for kind, each in stages.get((0, "whole"), {}).items()},
        "episodes": _episodes(connection, began, stages),
        "rpo": _rpo(connection),
        "redelivery": _redelivery(connection),
        "backlog": _backlog(connection),
        "definitions": DEFINITIONS,
    }


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of numbers.json, shipped in the package."""
    text = (Path(__file__).parent / "numbers.schema.json").read_text(encoding="utf-8")
    data: dict[str, Any] = json.loads(text)
    return data


def _nothing_sent() -> dict[str, Any]:
    return {
        "format": FORMAT,
        "observed_ms": 0,
        "stalled_ms": 0,
        "availability": {},
        "latency_ms": {},
        "episodes": [],
        "rpo": None,
        "redelivery": {"groups": {}, "stored_more_than_once": 0},
        "backlog": {},
        "definitions": DEFINITIONS,
    }


def _rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    found = connection.execute(query)
    columns = [column[0] for column in found.description]
    return [dict(zip(columns, row, strict=True)) for row in found.fetchall()]


def _stages(connection: duckdb.DuckDBPyConnection) -> dict[tuple[int, str], dict[str, dict[str, Any]]]:
    """(Episode, stage) → kind → availability and latency."""
    found: dict[tuple[int, str], dict[str, dict[str, Any]]] = {}
    for row in _rows(connection, _STAGES):
        quantiles = row["latency_ms"] or [None, None, None]
        latency = {"p50": quantiles[0], "p95": quantiles[1], "p99": quantiles[2], "max": row["longest_ms"]}
        found.setdefault((row["number"], row["stage"]), {})[row["kind"]] = {
            "availability": {
                "operations": row["ended"],
                "ended_well": row["ended_well"],
                "share": round(row["ended_well"] / row["ended"], 6),
            },
            "latency_ms": {key: None if value is None else _ms(value) for key, value in latency.items()},
        }
    return found


def _episodes(
    connection: duckdb.DuckDBPyConnection, start: int, stages: dict[tuple[int, str], dict[str, dict[str, Any]]]
) -> list[dict[str, Any]]:
    rto: dict[int, dict[str, Any]] = {}
    for row in _rows(connection, _RTO):
        rto.setdefault(row["number"], {})[row["kind"]] = _rto(row)
    found = []
    for row in _rows(connection, "SELECT * FROM episodes ORDER BY number"):
        of_stage = {stage: stages.get((row["number"], stage), {}) for stage in ("before", "during", "after")}
        found.append(
            {
                "number": row["number"],
                "faults": row["kinds"],
                "on": row["places"],
                "began_ms": _ms((row["began"] - start) / 1e6),
                "healed_ms": _ms((row["healed"] - start) / 1e6),
                "rto": rto.get(row["number"], {}),
                "latency_ms": {
                    stage: {kind: each["latency_ms"] for kind, each in kinds.items()}
                    for stage, kinds in of_stage.items()
                },
                "availability": {
                    stage: {kind: each["availability"] for kind, each in kinds.items()}
                    for stage, kinds in of_stage.items()
                },
            }
        )
    return found


def _rto(row: dict[str, Any]) -> dict[str, Any]:
    again = row["after_begin_ms"] is not None
    return {
        "disturbed": row["disturbed"],
        "after_begin_ms": _ms(row["after_begin_ms"]) if again else None,
        "after_heal_ms": _ms(row["after_heal_ms"]) if again else None,
    }


def _rpo(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    row = _rows(connection, _RPO)[0]
    return {
        "acknowledged": row["acknowledged"],
        "lost_messages": row["lost"],
        "lost_undelivered": row["lost_undelivered"],
        "unread": row["unread"],
        "lost_by_broker": row["lost_by_broker"] or {},
        "ms": None if row["ms"] is None else _ms(row["ms"]),
    }


def _redelivery(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    groups = {}
    for row in _rows(connection, _DELIVERY):
        again = row["deliveries"] - row["messages"]
        groups[row["consumer_group"]] = {
            "deliveries": row["deliveries"],
            "redeliveries": again,
            "redelivery_rate": round(again / row["deliveries"], 6),
            "duplicates": row["duplicates"],
            "duplicate_rate": round(row["duplicates"] / row["deliveries"], 6),
        }
    copies = _rows(connection, _COPIES)[0]
    return {"groups": groups, "stored_more_than_once": copies["records"] - copies["messages"]}


def _backlog(connection: duckdb.DuckDBPyConnection) -> dict[str, list[list[int]]]:
    """Group → points of (ms, messages)."""
    found: dict[str, list[list[int]]] = {}
    for row in _rows(connection, _BACKLOG):
        found.setdefault(row["consumer_group"], []).append([row["at_ms"], row["messages"]])
    return found


def _ms(value: float) -> float:
    return round(float(value), 1)
