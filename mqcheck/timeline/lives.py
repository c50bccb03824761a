"""The lives of some messages: everything recorded about them, in order of time.

Those that evidence speaks of, then those that went wrong, were slow or came again, then an even sample of the rest.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

import duckdb

from mqcheck.timeline.span import Span

EVIDENCE_MAX: Final = 240
"""Lives of messages in evidence, the first named; ours."""
SAMPLE_MAX: Final = 40
"""Lives of other messages; ours."""
EVENTS_MAX: Final = 60
"""Of one life, the first and last; ours: a message that is redelivered for ever has thousands."""

_CHOICE: Final = """
WITH told AS (
    SELECT message, min(invoked) AS invoked, bool_or(outcome <> 'ok') AS failed, max(returned - invoked) AS took
    FROM sends GROUP BY message
), again AS (
    SELECT message, max(many) AS many FROM (
        SELECT message, count(*) AS many FROM deliveries WHERE message IS NOT NULL GROUP BY consumer_group, message
    ) GROUP BY message HAVING max(many) > 1
), ranked AS (
    SELECT t.message, t.failed, coalesce(a.many, 0) AS many,
        row_number() OVER (ORDER BY t.took DESC NULLS LAST, t.message) AS slow,
        row_number() OVER (PARTITION BY t.failed ORDER BY t.invoked, t.message) AS place,
        count(*) OVER (PARTITION BY t.failed) AS places,
        row_number() OVER (ORDER BY coalesce(a.many, 0) DESC, t.message) AS repeated
    FROM told t LEFT JOIN again a ON a.message = t.message
)
SELECT message FROM ranked
WHERE slow <= {part} OR (many > 1 AND repeated <= {part})
    OR place % greatest(1, places // (CASE WHEN failed THEN {part} ELSE 2 * {part} END)) = 0
ORDER BY failed DESC, many > 1 DESC, slow <= {part} DESC, place
"""
_OF_OPERATIONS: Final = """
SELECT op, min(message) FROM (
    SELECT op, message FROM sends UNION ALL SELECT op, message FROM attempts
    UNION ALL SELECT op, message FROM deliveries
    UNION ALL SELECT op, message FROM transactions UNION ALL SELECT op, message FROM checks
    UNION ALL SELECT op, message FROM final_log
    UNION ALL SELECT r.op, d.message FROM results r JOIN deliveries d ON d.op = r.delivery
) WHERE op IN ({ops}) AND message IS NOT NULL GROUP BY op
"""
_HEADS: Final = """
SELECT message, any_value(topic), any_value(tag), any_value(keys), any_value(sharding_key), max(delay_level),
    max(delay_ms), bool_or(transactional), max(size), any_value(unique_key), count(*) FROM sends
WHERE message IN (SELECT message FROM drawn_messages) GROUP BY message
"""
_EVENTS: Final = """
WITH mine AS (SELECT * FROM deliveries WHERE message IN (SELECT message FROM drawn_messages)),
stored AS (
    SELECT message, broker, queue, max(queue_offset) AS queue_offset, topic FROM attempts
    WHERE message IN (SELECT message FROM drawn_messages) AND outcome = 'ok' AND queue_offset IS NOT NULL
        AND batch IS NULL
    GROUP BY message, broker, queue, topic
)
SELECT message, at_ns, until_ns, kind, who, place, outcome, note FROM (
    SELECT message, invoked AS at_ns, returned AS until_ns, op, 'send' AS kind, coalesce(producer, process) AS who,
        topic AS place, outcome, concat_ws(', ', mode, 'delay level ' || nullif(delay_level, 0),
            'delay ' || nullif(delay_ms, 0) || ' ms', CASE WHEN transactional THEN 'half message' END,
            'code ' || nullif(code, 0)) AS note
    FROM sends WHERE message IN (SELECT message FROM drawn_messages)
    UNION ALL
    SELECT message, invoked, returned, op, 'attempt', 'number ' || attempt, broker || '/' || coalesce(CAST(queue AS
        VARCHAR), '?'), outcome, concat_ws(', ', 'offset ' || queue_offset, 'code ' || nullif(code, 0),
            left(remark, 120))
    FROM attempts WHERE message IN (SELECT message FROM drawn_messages)
    UNION ALL
    SELECT message, coalesce(received, t), NULL, op, 'delivered', consumer_group || ' ' || member,
        topic || ' ' || broker || '/' || queue || '@' || queue_offset,
        CASE WHEN reconsume_times > 0 OR row_number() OVER (PARTITION BY message, consumer_group
            ORDER BY coalesce(received, t), op) > 1 THEN 'again' ELSE 'ok' END,
        CASE WHEN reconsume_times > 0 THEN 'reconsume ' || reconsume_times END
    FROM mine
    UNION ALL
    SELECT d.message, r.invoked, r.returned, r.op, CASE r.kind WHEN 'listener' THEN 'result' ELSE r.kind END,
        d.consumer_group || ' ' || d.member, NULL, coalesce(r.result, r.outcome),
        concat_ws(', ', CASE WHEN r.outcome <> 'ok' THEN r.outcome END, 'delay level ' || nullif(r.delay_level, 0),
            'code ' || nullif(r.code, 0))
    FROM results r JOIN mine d ON d.op = r.delivery
    UNION ALL
    SELECT d.message, min(o.returned), NULL, min(o.op), 'committed', d.consumer_group,
        d.topic || ' ' || d.broker || '/' || d.queue, 'ok', 'offset ' || arg_min(o.value, o.returned)
    FROM mine d JOIN offsets o ON o.kind IN ('commit', 'commit-in-pull') AND o.outcome = 'ok'
        AND o.consumer_group = d.consumer_group AND o.broker = d.broker AND o.topic = d.topic AND o.queue = d.queue
        AND o.value > d.queue_offset AND o.invoked >= coalesce(d.received, d.t)
    GROUP BY d.message, d.consumer_group, d.topic, d.broker, d.queue
    UNION ALL
    SELECT message, invoked, returned, op, 'transaction', coalesce(producer, process), node, decision,
        concat_ws(', ', outcome, CASE WHEN from_check THEN 'answer to a check' END)
    FROM transactions WHERE message IN (SELECT message FROM drawn_messages)
    UNION ALL
    SELECT message, t, NULL, op, 'check', coalesce(producer, process), node, 'ok', 'check number ' || check_times
    FROM checks WHERE message IN (SELECT message FROM drawn_messages)
    UNION ALL
    SELECT message, t, NULL, op, 'read back', 'reading ' || reading, node || ' ' || topic || '/' || queue || '@'
        || queue_offset, CASE WHEN crc_ok AND parsed THEN 'ok' ELSE 'damaged' END, 'attempt ' || attempt
    FROM final_log WHERE message IN (SELECT message FROM drawn_messages)
    UNION ALL
    SELECT g.message, g.t, NULL, g.op, 'on disk', g.node, g.topic || '/' || g.queue || '@' || g.queue_offset, 'ok', NULL
    FROM surveyed g WHERE g.message IN (SELECT message FROM drawn_messages)
    UNION ALL
    SELECT s.message, r.returned, NULL, r.op, 'read back', 'reading ' || r.reading, r.node || ' ' || r.topic || '/'
        || r.queue, 'missing', 'complete, offsets ' || r.min_offset || ' to ' || (r.max_offset - 1)
    FROM stored s JOIN readings r ON r.reading = 'final' AND r.master AND r.complete AND r.topic = s.topic
        AND r.broker = s.broker AND r.queue = s.queue AND s.queue_offset >= r.min_offset
    WHERE s.message NOT IN (SELECT message FROM final_log WHERE message IS NOT NULL AND reading = 'final')
        AND s.message NOT IN (SELECT message FROM sends WHERE delay_level > 0 OR delay_ms > 0 OR transactional)
) ORDER BY message, at_ns, op
"""


def lives(
    connection: duckdb.DuckDBPyConnection, span: Span, messages: Collection[int], operations: Collection[int]
) -> tuple[dict[str, Any], dict[str, int]]:
    """Lives of the messages that evidence names, itself or by operations, and of a sample; how many were left out.

    ``words``: every text once. ``evidence``: ids. ``operations``: message by operation. ``messages``: by id, ``head``
    (topic and so on) and ``events``: [at, until, kind, who, place, outcome, note], times in ms, texts as numbers of
    words, -1 for none.
    """
    of_operations = _messages_of(connection, operations)
    named = list(dict.fromkeys([*messages, *of_operations.values()]))
    sample = [row[0] for row in connection.execute(_CHOICE.format(part=SAMPLE_MAX // 4)).fetchall()]
    sample = [message for message in sample if message not in set(named)]
    chosen = [*named[:EVIDENCE_MAX], *sample[:SAMPLE_MAX]]
    words: dict[str, int] = {}
    found: dict[str, Any] = {
        "words": [],
        "evidence": named[:EVIDENCE_MAX],
        "operations": {str(op): message for op, message in of_operations.items()},
        "messages": _lives(connection, span, chosen, words) if chosen else {},
    }
    found["words"] = list(words)
    ((sent,),) = connection.execute("SELECT count(DISTINCT message) FROM sends").fetchall()
    return found, {"lives of messages": sent - len(found["messages"])} if sent > len(found["messages"]) else {}


def _messages_of(connection: duckdb.DuckDBPyConnection, operations: Collection[int]) -> dict[int, int]:
    if not operations:
        return {}
    return dict(connection.execute(_OF_OPERATIONS.format(ops=_listed(operations))).fetchall())


def _listed(numbers: Collection[int]) -> str:
    return ", ".join(str(int(number)) for number in numbers)


def _lives(
    connection: duckdb.DuckDBPyConnection, span: Span, chosen: Sequence[int], words: dict[str, int]
) -> dict[str, Any]:
    connection.execute("CREATE OR REPLACE TEMP TABLE drawn_messages (message BIGINT)")
    connection.execute(f"INSERT INTO drawn_messages VALUES {', '.join(f'({int(each)})' for each in chosen)}")
    found: dict[str, Any] = {}
    for message, *head in connection.execute(_HEADS).fetchall():
        names = (
            "topic",
            "tag",
            "keys",
            "sharding_key",
            "delay_level",
            "delay_ms",
            "half",
            "size",
            "unique_key",
            "sends",
        )
        told = {name: value for name, value in zip(names, head, strict=True) if value}
        found[str(message)] = {"head": told, "events": []}
    for message, at, until, *texts in connection.execute(_EVENTS).fetchall():
        if at is None:
            continue
        life = found.setdefault(str(message), {"head": {}, "events": []})
        numbers = [words.setdefault(text, len(words)) if text else -1 for text in texts]
        life["events"].append([span.ms(at), span.ms(until), *numbers])
    connection.execute("DROP TABLE drawn_messages")
    for life in found.values():
        cut = len(life["events"]) - EVENTS_MAX
        if cut > 0:
            life["events"] = [*life["events"][: EVENTS_MAX // 2], *life["events"][-EVENTS_MAX // 2 :]]
            life["cut"] = cut
    return found
