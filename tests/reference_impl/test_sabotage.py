"""The registry of planted bugs and oddities: names, guarantees, roles."""

from __future__ import annotations

import pytest

from reference_impl.errors import SettingsError
from reference_impl.sabotage import ODDITIES, SABOTAGES, find

CATCHERS = {
    "ack-before-sync": "dur-ack-power-sf",
    "ack-before-replicate": "rep-sync-ack",
    "lose-offsets-on-restart": "con-offset-persist",
    "never-expire-brokers": "ns-expire",
    "expire-early": "ns-no-early-expire",
    "no-redelivery": "con-retry-alo",
    "redeliver-forever": "con-retry-max",
    "skip-message-on-rebalance": "con-alo",
    "two-lock-owners": "ord-queue-lock",
    "reorder-queue": "sto-fifo-queue",
    "corrupt-body": "dur-body-intact",
    "ack-failed-sync": "dur-ack-fsync-error",
    "ack-refused-write": "dur-ack-disk-full",
    "hide-recovered": "dur-power-readable",
    "answer-twice": "prt-opaque",
    "unknown-code-succeeds": "prt-unknown-code",
    "hold-too-long": "con-longpoll-timeout",
    "empty-route": "ns-empty-17",
    "deliver-early": "dly-not-early",
    "lose-delayed": "dly-alo",
    "retry-at-once": "con-retry-delay",
    "corrupt-retry-copy": "con-retry-identity",
    "never-expire-members": "con-expire",
    "ignore-closed-brokers": "ns-close",
    "ack-before-write": "dur-ack-kill",
    "lose-metadata-on-restart": "dur-meta-power",
}


def test_every_bug_names_the_guarantee_that_must_catch_it() -> None:
    assert {name: bug.guarantee for name, bug in SABOTAGES.items()} == CATCHERS
    assert set(ODDITIES) == {"slow-flush", "duplicate-after-rebalance", "stale-route-within-limit"}
    assert all(odd.guarantee is None for odd in ODDITIES.values())
    assert all(entry.summary for entry in (*SABOTAGES.values(), *ODDITIES.values()))


def test_a_process_takes_only_what_concerns_its_role() -> None:
    assert [bug.name for bug in find("expire-early", "slow-flush", "namesrv")] == ["expire-early"]
    assert [bug.name for bug in find("expire-early", "slow-flush", "broker")] == ["slow-flush"]
    assert find(None, None, "broker") == []


@pytest.mark.parametrize(("name", "odd"), [("slow-flush", None), (None, "corrupt-body"), ("nonsense", None)])
def test_an_unknown_name_is_the_users_mistake(name: str | None, odd: str | None) -> None:
    with pytest.raises(SettingsError, match=r"is unknown: write one of .*-"):
        find(name, odd, "broker")
