"""Facts derived once per history and materialised: what was sent, stored, seen, handled and owed.

Each fact is one statement; queries of guarantees build on them, so the judging rules are kept here once: an operation
without an answer is neither happened nor not happened, and what is accused is accused by what surely was.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import duckdb

from mqcheck.history.choices import CHOSEN, make_choice
from mqcheck.history.tables import FACTS

NEVER: Final = 9_000_000_000_000_000_000
"""A time after every other one, in ns: "was never done"."""

_SENT: Final = """
CREATE TABLE sent AS
WITH judged AS (
    SELECT a.message, a.op, a.attempt, a.invoked, a.returned, a.broker, a.queue, a.queue_offset, a.node,
        CASE WHEN a.outcome = 'ok' THEN 3
             WHEN a.outcome = 'kept' THEN 2
             WHEN a.outcome = 'unknown' THEN 1
             WHEN a.outcome = 'refused' AND a.code = 1 AND n.version LIKE '5%' THEN 1
             WHEN a.outcome IN ('refused', 'unsent') THEN 0
             ELSE 1 END AS rank
    FROM attempts a
    LEFT JOIN (SELECT node, max(version) AS version FROM nodes GROUP BY node) n ON n.node = a.node
), fates AS (
    SELECT message, max(rank) AS rank, count(*) AS attempts, min(invoked) AS first_invoked,
        sum(CASE WHEN rank > 0 THEN 1 ELSE 0 END) AS copies_max, sum(CASE WHEN rank > 1 THEN 1 ELSE 0 END) AS copies_min
    FROM judged GROUP BY message
), best AS (
    SELECT message, broker, queue, queue_offset, node, returned, attempt,
        row_number() OVER (PARTITION BY message ORDER BY rank DESC, attempt, op) AS place
    FROM judged
)
SELECT s.op, s.process, s.invoked, s.returned, s.outcome, s.message, s.topic, s.mode, s.producer, s.producer_group,
    s.worker, s.unique_key, s.tag, s.keys, s.sharding_key, s.delay_level, s.delay_ms, s.transactional, s.wait_store,
    s.batch, s.batch_index, s.size, s.flag, s.body_digest, s.props_digest, s.code,
    CASE WHEN f.message IS NULL THEN CASE WHEN s.mode IN ('oneway', 'raw') THEN 'maybe' ELSE 'absent' END
         WHEN f.rank = 3 THEN 'acked' WHEN f.rank = 2 THEN 'kept' WHEN f.rank = 1 THEN 'maybe' ELSE 'absent'
    END AS fate,
    CASE WHEN f.rank >= 2 THEN b.broker END AS broker,
    CASE WHEN f.rank >= 2 THEN b.node END AS node,
    CASE WHEN f.rank >= 2 THEN b.queue END AS queue,
    CASE WHEN f.rank >= 2 THEN b.queue_offset END AS queue_offset,
    CASE WHEN f.rank >= 2 THEN b.attempt END AS acked_attempt,
    CASE WHEN f.rank >= 2 THEN b.returned END AS acked_at,
    coalesce(f.attempts, 0) AS attempts, coalesce(f.copies_min, 0) AS copies_min,
    coalesce(f.copies_max, 0) AS copies_max, coalesce(f.first_invoked, s.invoked) AS first_invoked
FROM sends s
LEFT JOIN fates f ON f.message = s.message
LEFT JOIN best b ON b.message = s.message AND b.place = 1
"""
"""fate: acked (an attempt ok), kept (10, 11, 12), maybe (an attempt unknown, none better), absent (all refused or
unsent)."""

_LOGGED: Final = """
CREATE TABLE logged AS
SELECT l.op, l.process, l.t, l.node, l.broker, l.topic, l.queue, l.queue_offset, l.physical_offset, l.message,
    l.attempt, l.unique_key, l.parsed, l.crc_ok, l.body_digest, l.props_digest, l.record_digest, l.flag,
    l.store_time, l.born_time, l.reconsume_times, l.tag, l.keys, l.prepared_offset
FROM final_log l
SEMI JOIN (SELECT node, topic, queue FROM readings WHERE reading = 'final' AND master AND complete) r
    ON r.node = l.node AND r.topic = l.topic AND r.queue = l.queue
WHERE l.reading = 'final'
"""

_HANDLED: Final = """
CREATE TABLE handled AS
WITH said AS (
    SELECT delivery, coalesce(returned, invoked) AS ended, result,
        row_number() OVER (PARTITION BY delivery ORDER BY invoked, op) AS place
    FROM results WHERE kind = 'listener'
), back AS (
    SELECT delivery, min(CASE WHEN outcome = 'ok' THEN returned END) AS sent_back,
        min(invoked) AS back_asked, max(CASE WHEN outcome = 'ok' THEN 1 ELSE 0 END) AS back_ok,
        min(delay_level) AS back_level
    FROM results WHERE kind = 'send-back' GROUP BY delivery
)
SELECT d.op, d.process, d.t, d.pull, d.consumer_group, d.member, d.session, d.message, d.attempt, d.unique_key,
    d.topic, d.origin_topic, d.broker, d.node, d.queue, d.queue_offset, d.tag, d.reconsume_times, d.flag, d.crc_ok,
    d.body_digest, d.props_digest, d.store_time, d.born_time, coalesce(d.received, d.t) AS received,
    min(d.reconsume_times) OVER (PARTITION BY d.consumer_group, d.topic, d.broker, d.queue, d.queue_offset, d.message)
        AS stored_reconsume, s.ended, s.result, b.sent_back, b.back_asked, b.back_level
FROM deliveries d
LEFT JOIN said s ON s.delivery = d.op AND s.place = 1
LEFT JOIN back b ON b.delivery = d.op
"""
"""``stored_reconsume``: the counter in the stored record; a client that consumes again by itself counts on from there.
sent_back: when a send-back of this delivery was answered with success; back_asked: when the first was asked."""

_GOT: Final = """
CREATE TABLE got AS
SELECT consumer_group, message, count(*) AS deliveries, min(received) AS first_at, max(received) AS last_at,
    max(reconsume_times) AS reconsume_times, min(CASE WHEN result = 'success' THEN ended END) AS succeeded
FROM handled WHERE message IS NOT NULL
GROUP BY consumer_group, message
"""

_GOT_AT: Final = """
CREATE TABLE got_at AS
SELECT consumer_group, topic, broker, queue, queue_offset, min(received) AS first_at, min(t) AS called_at,
    min(message) AS message,
    min(CASE WHEN result = 'success' THEN CASE WHEN sent_back < ended THEN sent_back ELSE ended END
             ELSE sent_back END) AS done_at
FROM handled
GROUP BY consumer_group, topic, broker, queue, queue_offset
"""
"""Done: the listener said success, or a send-back was answered with success: the retry copy stands for it then."""

_PREFIX_DONE: Final = f"""
CREATE TABLE prefix_done AS
WITH running AS (
    SELECT consumer_group, topic, broker, queue, queue_offset, coalesce(done_at, {NEVER}) AS own,
        max(coalesce(done_at, {NEVER})) OVER w AS done
    FROM got_at
    WINDOW w AS (PARTITION BY consumer_group, topic, broker, queue ORDER BY queue_offset
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
), held AS (
    SELECT consumer_group, topic, broker, queue, queue_offset, done,
        max(CASE WHEN own = done THEN queue_offset END) OVER w AS held_up_by
    FROM running
    WINDOW w AS (PARTITION BY consumer_group, topic, broker, queue ORDER BY queue_offset
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
)
SELECT h.consumer_group, h.topic, h.broker, h.queue, h.queue_offset, h.done, h.held_up_by, g.first_at AS held_up_since
FROM held h
JOIN got_at g ON g.consumer_group = h.consumer_group AND g.topic = h.topic AND g.broker = h.broker AND g.queue = h.queue
    AND g.queue_offset = h.held_up_by
"""

"""``done``: when everything up to this offset was done; ``held_up_by``: the offset that took longest, which the group
had been given at ``held_up_since``."""

_SIGHTINGS: Final = """
CREATE TABLE sightings AS
SELECT topic, broker, queue, queue_offset, message, 'send answer' AS seen_by, returned AS seen_at, op FROM attempts
WHERE outcome = 'ok' AND batch IS NULL AND queue_offset IS NOT NULL AND message IN (
    SELECT message FROM sends WHERE delay_level = 0 AND delay_ms = 0 AND NOT transactional)
UNION ALL
SELECT topic, broker, queue, queue_offset, message, 'delivery', coalesce(received, t), op FROM deliveries
WHERE message IS NOT NULL
UNION ALL
SELECT l.topic, l.broker, l.queue, l.queue_offset, l.message, 'reading ' || l.reading, l.t, l.op FROM final_log l
SEMI JOIN (SELECT reading, node FROM readings WHERE master) r ON r.reading = l.reading AND r.node = l.node
WHERE l.message IS NOT NULL
"""
"""Answers to delayed, half and batched sends are no sightings: they name another record, or the first of several."""

_NODE_TROUBLE: Final = f"""
CREATE TABLE node_trouble AS
WITH lives AS (
    SELECT node, broker, life, how, coalesce(ending, ended) AS off_at,
        lead(ready) OVER (PARTITION BY node ORDER BY life) AS on_at
    FROM nodes
)
SELECT f.node, n.broker, f.kind, f.began, coalesce(f.healed, {NEVER}) AS ended, f.confirmed FROM faults f
LEFT JOIN (SELECT node, max(broker) AS broker FROM nodes GROUP BY node) n ON n.node = f.node
WHERE f.node IS NOT NULL AND f.began IS NOT NULL
UNION ALL
SELECT node, broker, how, off_at, coalesce(on_at, {NEVER}), TRUE FROM lives WHERE how IS NOT NULL AND off_at IS NOT NULL
"""
"""Widest intervals; ``confirmed`` as the fault says, true for the end of a node's life."""

_SURVIVAL: Final = """
CREATE TABLE survival AS
WITH cuts AS (
    SELECT node, life, ending AS cut_at FROM nodes WHERE how = 'power-cut' AND ending IS NOT NULL
), looked AS (
    SELECT op, node, life FROM surveys WHERE outcome = 'ok'
), left_over AS (
    SELECT parent, message FROM surveyed WHERE message IS NOT NULL GROUP BY ALL
), troubled AS (
    SELECT s.message, min(x.kind) AS trouble FROM sent s
    JOIN node_trouble x ON x.node = s.node AND x.kind IN ('fsync-error', 'write-error', 'disk-full')
        AND s.acked_at BETWEEN x.began AND x.ended
    GROUP BY s.message
), places AS (
    SELECT node, topic, queue, max(min_offset) AS min_offset FROM readings
    WHERE reading = 'final' AND master AND complete GROUP BY ALL
), read_back AS (
    SELECT node, message FROM logged WHERE message IS NOT NULL GROUP BY ALL
)
SELECT s.message, s.topic, s.broker, s.node, s.queue, s.queue_offset, s.acked_at, c.life, c.cut_at, t.trouble,
    CASE WHEN l.op IS NOT NULL THEN o.message IS NOT NULL END AS on_disk,
    CASE WHEN b.message IS NOT NULL THEN TRUE
         WHEN p.min_offset IS NOT NULL AND coalesce(s.queue_offset, p.min_offset) >= p.min_offset THEN FALSE
    END AS readable
FROM sent s
JOIN cuts c ON c.node = s.node AND c.cut_at > s.acked_at
LEFT JOIN looked l ON l.node = c.node AND l.life = c.life
LEFT JOIN left_over o ON o.parent = l.op AND o.message = s.message
LEFT JOIN troubled t ON t.message = s.message
LEFT JOIN places p ON p.node = s.node AND p.topic = s.topic AND p.queue = s.queue
LEFT JOIN read_back b ON b.node = s.node AND b.message = s.message
WHERE s.fate = 'acked' AND s.delay_level = 0 AND NOT s.transactional
"""
"""Each acknowledged message × each later power cut of its node. ``on_disk``: in the bytes of the log that the cut
left; NULL where nobody looked at them. ``readable``: in the final reading; NULL where its queue has no complete one, or
begins after it. ``trouble``: the disk fault under which it was acknowledged."""

_OWNED: Final = f"""
CREATE TABLE owned AS
WITH seen AS (
    SELECT consumer_group, member, max(t) AS t FROM (
        SELECT consumer_group, member, max(coalesce(returned, invoked)) AS t FROM pulls
        WHERE member IS NOT NULL GROUP BY ALL
        UNION ALL SELECT consumer_group, member, max(t) FROM members GROUP BY ALL
        UNION ALL SELECT consumer_group, member, max(coalesce(returned, invoked)) FROM offsets
        WHERE member IS NOT NULL GROUP BY ALL
        UNION ALL SELECT consumer_group, member, max(coalesce(received, t)) FROM deliveries GROUP BY ALL
    ) acts GROUP BY consumer_group, member
), closed AS (
    SELECT consumer_group, member, min(t) AS closed FROM members WHERE kind IN ('closed', 'unregistered') GROUP BY ALL
), steps AS (
    SELECT consumer_group, member, topic, broker, queue, kind, t, op,
        lead(t) OVER (PARTITION BY consumer_group, member, topic, broker, queue ORDER BY t, op) AS next_t
    FROM members WHERE kind IN ('assigned', 'revoked') AND queue IS NOT NULL
)
SELECT s.consumer_group, s.topic, s.broker, s.queue, s.member, s.t AS began,
    least(coalesce(s.next_t, {NEVER}), coalesce(c.closed, {NEVER})) AS ended, a.t AS last_seen
FROM steps s
LEFT JOIN closed c ON c.consumer_group = s.consumer_group AND c.member = s.member AND c.closed >= s.t
LEFT JOIN seen a ON a.consumer_group = s.consumer_group AND a.member = s.member
WHERE s.kind = 'assigned'
"""
"""From assigned to revoked or closed; a member that was killed has no end, only ``last_seen``, its last act."""

_MEDDLED: Final = """
CREATE TABLE meddled AS
SELECT DISTINCT consumer_group, topic FROM offsets
WHERE consumer_group IS NOT NULL AND (kind = 'reset' OR (kind = 'commit' AND member IS NULL))
"""
"""Groups whose offsets somebody else than a member set: an administrator, or the scenario's own probe."""

_EXPECTED: Final = """
CREATE TABLE expected AS
WITH subscribed AS (
    SELECT consumer_group, topic, min(t) AS since,
        max(CASE WHEN mode = 'broadcasting' THEN 1 ELSE 0 END) AS broadcasting,
        max(CASE WHEN from_where = 'first' THEN 0 ELSE 1 END) AS skips_history
    FROM subscriptions GROUP BY consumer_group, topic
), places AS (
    SELECT message, broker, queue, queue_offset FROM logged
    WHERE message IS NOT NULL AND topic NOT LIKE '\\%%' ESCAPE '\\'
    QUALIFY row_number() OVER (PARTITION BY message ORDER BY queue, queue_offset) = 1
        AND min(broker) OVER (PARTITION BY message) = max(broker) OVER (PARTITION BY message)
), stored AS (
    SELECT s.message, s.topic, s.invoked, s.returned, s.fate, s.delay_level, s.delay_ms, s.transactional,
        coalesce(p.broker, s.broker) AS broker, coalesce(p.queue, s.queue) AS queue,
        CASE WHEN s.delay_level > 0 OR s.batch IS NOT NULL THEN p.queue_offset
             ELSE coalesce(p.queue_offset, s.queue_offset) END AS queue_offset
    FROM sent s LEFT JOIN places p ON p.message = s.message
    WHERE s.fate = 'acked' OR p.message IS NOT NULL
), started AS (
    SELECT consumer_group, topic, broker, queue, min(invoked) AS first_pull FROM pulls GROUP BY ALL
)
SELECT u.consumer_group, t.message, t.topic, t.broker, t.queue, t.queue_offset, t.fate, t.invoked, t.returned,
    t.delay_level, t.delay_ms
FROM stored t
JOIN subscribed u ON u.topic = t.topic AND u.since < t.invoked AND u.broadcasting = 0
JOIN selected c ON c.consumer_group = u.consumer_group AND c.message = t.message
LEFT JOIN started g ON g.consumer_group = u.consumer_group AND g.topic = t.topic AND g.broker = t.broker
    AND g.queue = t.queue
WHERE t.topic NOT LIKE '\\%%' ESCAPE '\\' AND NOT t.transactional
    AND (u.skips_history = 0 OR g.first_pull < t.invoked)
"""
"""A group that starts at the end of a queue is owed only what was sent after its first pull there."""

_ANSWERED: Final = f"""
CREATE TABLE answered AS
SELECT r.op, r.probe, r.conn, r.node, n.role, r.request_code, r.encoding, r.outcome, r.code, r.answers, r.strays,
    r.detail, r.invoked, r.returned,
    CASE WHEN r.answers > 0 THEN 'code ' || CAST(r.code AS VARCHAR) || coalesce(' ' || r.detail, '')
         WHEN r.outcome = 'closed' THEN 'connection closed' ELSE 'silence' END AS seen
FROM replies r
JOIN (
    SELECT node, CASE WHEN max(role) = 'broker' THEN 'broker' ELSE 'nameserver' END AS role FROM nodes GROUP BY node
) n ON n.node = r.node
WHERE NOT r.oneway AND r.encoding <> 'garbage' AND r.outcome IN ('ok', 'none', 'closed')
    AND (r.answers = 0 OR r.code <> 2)
    AND NOT EXISTS (SELECT 1 FROM node_trouble x WHERE x.node = r.node AND x.began < r.returned AND x.ended > r.invoked)
    AND NOT EXISTS (SELECT 1 FROM faults f WHERE f.link IS NOT NULL AND f.began < r.returned
        AND coalesce(f.healed, {NEVER}) > r.invoked - 1000000000)
"""
"""Raw requests that had to be answered, of nodes out of trouble; SYSTEM_BUSY says nothing of a request."""

_SHOWN: Final = f"""
CREATE TABLE shown AS
WITH changes AS (
    SELECT op, kind, about, node, name, coalesce(setting, '(none)') AS setting, outcome, invoked,
        coalesce(returned, {NEVER}) AS returned
    FROM states WHERE kind <> 'seen' AND outcome <> 'unsent'
), pairs AS (
    SELECT s.op, s.about, s.node, s.name, coalesce(s.setting, '(none)') AS seen, s.invoked, s.returned,
        max(c.invoked) AS changed
    FROM states s
    JOIN changes c ON c.about = s.about AND c.node = s.node AND c.name = s.name AND c.returned < s.invoked
        AND c.outcome = 'ok'
    WHERE s.kind = 'seen' AND s.outcome = 'ok'
    GROUP BY ALL
)
SELECT p.op, p.about, p.node, p.name, c.kind, c.setting AS expected, p.seen, c.op AS change, c.returned AS changed,
    p.invoked AS asked
FROM pairs p
JOIN changes c ON c.about = p.about AND c.node = p.node AND c.name = p.name AND c.invoked = p.changed
    AND c.outcome = 'ok'
WHERE NOT EXISTS (SELECT 1 FROM changes o WHERE o.about = p.about AND o.node = p.node AND o.name = p.name
        AND o.op <> c.op AND o.invoked < p.returned AND o.returned > c.invoked)
    AND NOT EXISTS (SELECT 1 FROM node_trouble x WHERE x.began < p.returned AND x.ended > c.invoked)
    AND NOT EXISTS (SELECT 1 FROM faults f WHERE f.began < p.returned AND coalesce(f.healed, {NEVER}) > c.invoked)
"""
"""Each look at something that was changed before, with the last change that was answered with success. Left out: looks
that another change may overlap, and whatever befell the cluster in between."""

STATEMENTS: Final[dict[str, str]] = {
    "sent": _SENT,
    "logged": _LOGGED,
    "handled": _HANDLED,
    "got": _GOT,
    "got_at": _GOT_AT,
    "prefix_done": _PREFIX_DONE,
    "sightings": _SIGHTINGS,
    "node_trouble": _NODE_TROUBLE,
    "survival": _SURVIVAL,
    "owned": _OWNED,
    "meddled": _MEDDLED,
    "expected": _EXPECTED,
    "answered": _ANSWERED,
    "shown": _SHOWN,
}
"""How each fact is made, but ``selected`` and ``rejected``, which need more than SQL."""


def make_facts(connection: duckdb.DuckDBPyConnection, names: Sequence[str] = FACTS) -> None:
    """Derive facts from the recorded tables, each after those it reads. Called by the loader, once per history."""
    for name in names:
        if name in CHOSEN:
            make_choice(connection, name)
        else:
            connection.execute(STATEMENTS[name])
