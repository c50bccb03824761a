"""Legal oddities: where each shows, the guarantee nearest to it, and what proves from the history that it was there."""

from __future__ import annotations

SHOWN = {
    "slow-flush": ("power-cut", "dur-ack-power-sf"),
    "duplicate-after-rebalance": ("rebalance", "con-dup-cause"),
    "stale-route-within-limit": ("nameserver-cut", "ns-close"),
    "answers-out-of-order": ("steady", "sto-fifo-queue"),
    "unknown-fields": ("protocol", "prt-opaque"),
    "small-pulls": ("reading", "con-pull-batch"),
    "empty-pulls": ("steady", "con-no-skip"),
    "short-holds": ("protocol", "con-longpoll-timeout"),
    "sometimes-busy": ("steady", "sto-offset-dense"),
    "sometimes-late-flush": ("power-cut", "dur-ack-power-sf"),
    "closed-connections": ("steady", "con-dup-cause"),
    "needless-notifications": ("rebalance", "con-restart-resume"),
    "double-registration": ("nameserver-cut", "ns-no-early-expire"),
    "late-delays": ("delay", "dly-alo"),
    "spread-retries": ("consumer-fails", "con-retry-identity"),
    "far-log": ("broker-kill", "dur-ack-kill"),
    "standing-store-time": ("steady", "dur-body-intact"),
}
"""Legal oddity → scenario in which it shows, and the guarantee nearest to it."""

SEEN = {
    # Acknowledgements under SYNC_FLUSH wait for a sync that takes 40 ms, or for the rest of one that has begun. How
    # many wait for a whole one depends on when the sends arrive; a busy machine only adds to their number.
    "slow-flush": """
        SELECT count(*) >= 50 AND count(*) FILTER (WHERE returned - invoked >= 40e6) >= 10
        FROM attempts WHERE broker = 'broker-sync' AND outcome = 'ok'""",
    # A committed offset that is read back lower than it was written.
    "duplicate-after-rebalance": """
        SELECT count(*) > 0 FROM offsets q JOIN offsets c ON c.consumer_group = q.consumer_group AND c.topic = q.topic
        AND c.broker = q.broker AND c.queue = q.queue AND c.kind = 'commit' AND c.outcome = 'ok'
        AND c.returned < q.invoked AND c.value > q.position WHERE q.kind = 'query' AND q.outcome = 'ok'""",
    # A broker that is still listed though its connections have been closed.
    "stale-route-within-limit": """
        SELECT count(*) > 0 FROM routes r JOIN faults f ON r.invoked > f.active AND r.invoked < f.healed
        WHERE r.nameserver = 'nameserver-2' AND r.listed""",
    # A send that was answered before an earlier one of its connection, which the broker stored first.
    "answers-out-of-order": """
        SELECT count(*) >= 10 FROM attempts a JOIN attempts b ON b.conn = a.conn AND b.broker = a.broker
        AND b.invoked > a.invoked AND b.returned < a.returned WHERE a.outcome = 'ok' AND b.outcome = 'ok'""",
    # Answers of success with something to say.
    "unknown-fields": """
        SELECT count(*) >= 10 AND bool_and(remark = 'as asked') FROM replies WHERE code = 0""",
    # Never more than two messages, though more were asked for and there.
    "small-pulls": """
        SELECT max(records) = 2
        AND count(*) FILTER (WHERE records = 2 AND max_offset > next_offset AND max_num > 2) >= 5
        FROM pulls WHERE code = 0 AND topic NOT LIKE '\\%%' ESCAPE '\\'""",
    # Told to come again, to the same offset, though there are messages.
    "empty-pulls": """
        SELECT count(*) >= 20 FROM pulls
        WHERE code = 20 AND next_offset = position AND position < max_offset AND position >= min_offset""",
    # Pulls that ended empty well before the time they asked for.
    "short-holds": """
        SELECT count(*) >= 2 FROM pulls
        WHERE code = 19 AND suspend_ms > 0 AND returned - invoked < (suspend_ms - 200) * 1e6""",
    "sometimes-busy": "SELECT count(*) >= 20 FROM attempts WHERE code = 2",
    "sometimes-late-flush": "SELECT count(*) >= 10 FROM attempts WHERE code = 10",
    # Connections to brokers that were ended by them, in a scenario without a fault.
    "closed-connections": """
        SELECT count(*) >= 10 FROM connections WHERE node LIKE 'broker-%' AND closed_by IN ('peer', 'error')
        AND NOT EXISTS (SELECT 1 FROM faults)""",
    # Told twice in one moment, and far more often than members came and went.
    "needless-notifications": """
        SELECT count(*) >= 40 FROM members a JOIN members b ON b.kind = 'notified' AND b.member = a.member
        AND b.consumer_group = a.consumer_group AND b.op > a.op AND b.t - a.t < 5e6 WHERE a.kind = 'notified'""",
    # Each registration of a broker at a NameServer overlaps another one, or follows it at once.
    "double-registration": """
        SELECT count(*) >= 20 AND bool_and(EXISTS (SELECT 1 FROM registrations b WHERE b.nameserver = a.nameserver
        AND b.broker = a.broker AND b.op <> a.op AND abs(b.invoked - a.invoked) < 100e6))
        FROM registrations a WHERE a.outcome = 'ok' AND a.kind = 'register'""",
    # Nothing delayed comes at its time.
    "late-delays": """
        SELECT count(*) >= 10 AND min(d.received - s.returned - (s.delay_ms + 350) * 1000000) > 0
        FROM sends s JOIN deliveries d ON d.message = s.message WHERE s.delay_ms > 0 AND s.outcome = 'ok'""",
    # Retries in each of three queues.
    "spread-retries": """
        SELECT count(DISTINCT queue) = 3 FROM deliveries WHERE topic LIKE '\\%RETRY\\%%' ESCAPE '\\'""",
    # The first record of a queue, five gigabytes from nowhere.
    "far-log": """
        SELECT min(queue_offset) = 0 AND min(physical_offset) >= 5368709120 FROM final_log WHERE reading = 'final'""",
    # Sends of a queue that lie far apart and were stored at one time.
    "standing-store-time": """
        SELECT count(*) >= 20 AND bool_and(one.store_time % 500 = 0) FROM final_log one
        JOIN final_log other ON other.reading = one.reading AND other.broker = one.broker AND other.topic = one.topic
        AND other.queue = one.queue AND other.store_time = one.store_time AND other.queue_offset > one.queue_offset
        JOIN sends a ON a.message = one.message JOIN sends b ON b.message = other.message
        WHERE one.reading = 'final' AND b.invoked - a.returned > 50e6""",
}
"""Legal oddity → what shows that it was there."""

OVER_SOCKETS = ("slow-flush", "duplicate-after-rebalance", "stale-route-within-limit")
"""Tried in real processes by every run of the tests, one of each kind: a disk, a broker, a NameServer."""

SIMULATED = tuple(odd for odd in SHOWN if odd not in OVER_SOCKETS)
"""Tried in the simulation by every run of the tests: a fraction of the work."""
