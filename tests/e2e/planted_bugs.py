"""Planted bugs, what must catch them, and where that is tried."""

from __future__ import annotations

import os

import pytest

from reference_impl.sabotage import answers

WIRE = {
    "forget-second-encoding": "prt-json-binary",
    "forget-second-encoding-ns": "ns-json-binary",
    "lose-in-flight": "prt-pipelining",
    "lose-in-flight-ns": "ns-pipelining",
    "swallow-incomplete": "prt-missing-field",
    "swallow-incomplete-ns": "ns-missing-field",
    "close-with-bad-frame": "prt-badframe-close",
    "close-with-bad-frame-ns": "ns-badframe-close",
    "answer-astray": "prt-own-opaque",
    "refuse-unknown-fields": "prt-unknown-field",
    "no-topic-is-error": "prt-send-no-topic",
    "any-queue-will-do": "prt-send-no-queue",
    "any-name-will-do": "prt-send-bad-name",
    "system-topics-open": "prt-send-system-topic",
    "no-topic-is-empty": "prt-pull-no-topic",
    "no-queue-is-empty": "prt-pull-no-queue",
    "empty-member-list": "prt-members-none",
    "view-nothing": "prt-view-none",
    "query-finds-nothing": "prt-query-none",
    "send-back-nothing": "prt-sendback-none",
    "commit-nothing": "prt-end-none",
    "refuse-heartbeats": "prt-heartbeat-ok",
    "accept-bad-body": "prt-bad-body",
    "offline-is-error": "adm-connections-none",
    "no-producers-listed": "adm-producers-none",
    "statistics-of-nothing": "adm-stats-none",
    "unknown-code-succeeds-ns": "ns-unknown-code",
    "made-up-offset": "prt-offset-none",
    "bounds-of-nothing": "prt-bounds-none",
    "empty-value": "ns-kv-none",
    "empty-namespace": "ns-kvlist-none",
}
"""Planted bugs of answers and connections → guarantee that must catch it, in the scenario ``wire``."""

CAUGHT = {
    **{bug: (guarantee, "wire") for bug, guarantee in WIRE.items()},
    "ack-before-sync": ("dur-ack-power-sf", "power-cut"),
    "ack-before-replicate": ("rep-sync-ack", "replication"),
    "lose-offsets-on-restart": ("con-offset-persist", "broker-kill"),
    "never-expire-brokers": ("ns-expire", "broker-blackhole"),
    "expire-early": ("ns-no-early-expire", "nameserver-cut"),
    "no-redelivery": ("con-retry-alo", "consumer-fails"),
    "redeliver-forever": ("con-retry-max", "consumer-fails"),
    "skip-message-on-rebalance": ("con-alo", "rebalance"),
    "two-lock-owners": ("ord-queue-lock", "orderly-rebalance"),
    "reorder-queue": ("sto-fifo-queue", "orderly-rebalance"),
    "corrupt-body": ("dur-body-intact", "steady"),
    "ack-failed-sync": ("dur-ack-fsync-error", "disk-error"),
    "ack-refused-write": ("dur-ack-disk-full", "disk-full"),
    "hide-recovered": ("dur-power-readable", "power-cut"),
    "answer-twice": ("prt-opaque", "protocol"),
    "unknown-code-succeeds": ("prt-unknown-code", "protocol"),
    "hold-too-long": ("con-longpoll-timeout", "protocol"),
    "empty-route": ("ns-empty-17", "protocol"),
    "deliver-early": ("dly-not-early", "delay"),
    "lose-delayed": ("dly-alo", "delay"),
    "deliver-late": ("dly-timely", "delay"),
    "wake-in-first-queue": ("dly-topic", "delay"),
    "clamp-low": ("dly-clamp", "delay-restart"),
    "forget-delayed": ("dly-restart", "delay-restart"),
    "retry-at-once": ("con-retry-delay", "consumer-fails"),
    "corrupt-retry-copy": ("con-retry-identity", "consumer-fails"),
    "never-expire-members": ("con-expire", "consumer-silent"),
    "ignore-closed-brokers": ("ns-close", "nameserver-cut"),
    "ack-before-write": ("dur-ack-kill", "broker-kill"),
    "lose-metadata-on-restart": ("dur-meta-power", "power-cut"),
    "leave-holes": ("sto-offset-dense", "steady"),
    "hide-late": ("dur-notok-stored", "slow-fsync"),
    "store-twice": ("con-dup-cause", "steady"),
    "list-late": ("ns-restart-heal", "nameserver-kill"),
    "answer-next-offset": ("sto-offset-unique", "steady"),
    "corrupt-recovered": ("sto-recover-no-ghost", "power-cut"),
    "never-wake-pulls": ("con-longpoll-wake", "protocol"),
    "ignore-returning-brokers": ("ns-register-visible", "broker-blackhole"),
    "resume-later": ("con-restart-resume", "rebalance"),
    "share-offsets": ("con-group-indep", "steady"),
    "wrong-checksum": ("dur-crc-valid", "steady"),
    "store-refused": ("dur-reject-absent", "protocol"),
    "answer-oneway": ("prt-oneway", "protocol"),
    "change-replica": ("rep-offset-same", "replication"),
    "skip-after-reconnect": ("rep-resume", "replication"),
    "refuse-slow-slave": ("rep-slave-slow", "slave-lost"),
    "ack-without-slave": ("rep-slave-missing", "slave-lost"),
    "move-replica": ("rep-prefix", "slave-lost"),
    "mute-without-master": ("rep-slave-read", "slave-lost"),
    "slave-takes-sends": ("rep-slave-refuse", "slave-lost"),
    "suggest-slave": ("rep-redirect", "slave-lost"),
    "keep-own-topics": ("rep-meta-topics", "slave-lost"),
    "keep-own-offsets": ("rep-meta-offsets", "slave-lost"),
    "ack-failed-write": ("dur-write-error", "disk-damage"),
    "refuse-bad-tail": ("sto-bad-tail", "disk-damage"),
    "number-anew": ("sto-recover-cq", "disk-damage"),
    "store-busy": ("flw-busy", "overload"),
    "take-when-full": ("sto-diskfull", "disk-nearly-full"),
    "remove-early": ("sto-retention", "disk-nearly-full"),
    "refuse-after-crash": ("dur-power-start", "power-cut"),
    "leave-all": ("ns-isolated", "nameserver-cut"),
    "forget-newest-member": ("con-members-list", "rebalance"),
    "list-asker-alone": ("con-rebalance-cover", "rebalance"),
    "ignore-leave": ("con-unregister", "rebalance"),
    "keep-closed-members": ("con-expire-close", "rebalance"),
    "never-notify": ("con-notify-ids", "rebalance"),
    "beat-seldom": ("cli-heartbeat", "rebalance"),
    "persist-seldom": ("cli-persist", "steady"),
    "retry-given-up": ("ord-orderly-dlq", "orderly-fails"),
    "commit-unfinished": ("con-no-skip", "backlog"),
    "lose-broadcasts": ("con-broadcast-all", "steady"),
    "swap-orderly": ("ord-queue-fifo", "orderly-fails"),
    "pass-suspended": ("ord-suspend-block", "orderly-fails"),
    "turn-shards": ("ord-shard", "orderly-fails"),
    "stay-full": ("con-flow-resume", "backlog"),
    "pull-again": ("con-pull-position", "backlog"),
    "exceed-messages": ("con-threshold-count", "backlog"),
    "exceed-bytes": ("con-threshold-size", "backlog"),
    "exceed-span": ("con-threshold-span", "backlog"),
    "retry-often": ("prd-retry", "producer-retry"),
    "forget-failed-broker": ("prd-avoid", "producer-retry"),
    "always-ok": ("prd-no-false-ok", "producer-retry"),
    "never-expire-locks": ("ord-lock-expiry", "locks"),
    "forget-renewals": ("ord-lock-renew", "locks"),
    "keep-unlocked": ("ord-unlock", "locks"),
    "give-more-than-asked": ("con-pull-batch", "reading"),
    "answer-backwards": ("con-pull-order", "reading"),
    "next-one-short": ("con-pull-next", "reading"),
    "bounds-behind": ("con-pull-bounds", "reading"),
    "moved-too-far": ("con-offset-moved", "reading"),
    "serve-the-barred": ("con-perm", "reading"),
    "ignore-versions": ("con-sub-latest", "reading"),
    "unknown-topic-is-empty": ("con-pull-topic-unknown", "reading"),
    "serve-strangers": ("con-pull-group-unknown", "reading"),
    "serve-any-queue": ("con-pull-queue-range", "reading"),
    "max-goes-back": ("sto-max-offset", "reading"),
    "answer-other-id": ("sto-offset-resp", "reading"),
    "search-too-late": ("sto-query-time", "reading"),
    "forget-keys": ("sto-query-key", "reading"),
    "view-the-next": ("sto-view-id", "reading"),
    "tear-batches": ("sto-batch-atomic", "reading"),
    "reverse-batches": ("sto-batch-order", "reading"),
    "store-in-the-past": ("sto-time-order", "reading"),
    "take-too-large": ("sto-size-limit", "reading"),
    "take-any-topic": ("sto-topic-limit", "reading"),
    "take-long-properties": ("sto-props-limit", "reading"),
    "show-half": ("txn-half-invisible", "transactions"),
    "lose-commits": ("txn-commit-alo", "transactions"),
    "change-committed": ("txn-commit-same", "transactions"),
    "commit-rollbacks": ("txn-rollback-none", "transactions"),
    "ask-anybody": ("txn-check-group", "transactions"),
    "skip-checks": ("txn-check-alo", "transactions"),
    "ask-sender-only": ("txn-check-takeover", "transactions"),
    "check-at-once": ("txn-check-not-early", "transactions"),
    "check-for-ever": ("txn-check-limit", "transactions"),
    "drop-undecided": ("txn-parked", "transactions"),
    "forget-decisions": ("txn-no-check-done", "transactions"),
    "decide-for-anybody": ("txn-group-guard", "transactions"),
    "misplace-checks": ("txn-check-identity", "transactions"),
    "forget-halves": ("txn-survives-restart", "transactions-restart"),
    "take-any-tag": ("flt-tag-exact", "filters"),
    "drop-a-tag": ("flt-tag-complete", "filters"),
    "null-is-true": ("flt-sql", "filters"),
    "forget-filters": ("flt-sql-restart", "filters"),
    "take-any-expression": ("flt-sql-bad", "filters"),
    "stand-still": ("flt-progress", "filters"),
}
"""Planted bug → guarantee that must catch it, and the shortest scenario in which it does."""

OVER_SOCKETS = (
    "ack-before-sync",
    "ack-before-replicate",
    "corrupt-body",
    "hide-late",
    "never-expire-brokers",
    "skip-message-on-rebalance",
)
"""Caught in real processes by every run of the tests: one for each scenario that cannot be simulated, and one of each
kind: a power cut, a body, a link, clients that come and go. The others are caught there by ``tox -e bugs``."""

REAL_ONLY = ("replication", "slave-lost", "overload", "slow-fsync")
"""Scenarios that cannot be simulated."""

ALL = os.environ.get("MQCHECK_BUGS") == "all"
LANE = "a whole lane: tox -e bugs, or MQCHECK_BUGS=all; the simulation or another one of the scenario is always tried"
ALIKE = tuple(
    bug for bug in WIRE if bug in {each.name for each in answers.SABOTAGES} - {"any-queue-will-do", "empty-value"}
)
"""Bugs of single answers that one class makes: two of them are simulated by every run of the tests, all by the lane."""

SIMULATED = tuple(
    bug for bug in CAUGHT if bug not in OVER_SOCKETS and CAUGHT[bug][1] not in REAL_ONLY and (ALL or bug not in ALIKE)
)
"""Caught in the simulation by every run of the tests: a fraction of the work."""

LATER = pytest.mark.skipif(
    not ALL, reason="a whole lane: tox -e bugs, or MQCHECK_BUGS=all; another bug is always caught in this way"
)
"""For one of several bugs that are caught in the same way."""
