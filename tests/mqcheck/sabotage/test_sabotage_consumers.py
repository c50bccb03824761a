"""mqcheck.sabotage.consumers: each planted bug does what it says, and nothing to the other kinds of consumers."""

from __future__ import annotations

from typing import Any

import pytest

from mqcheck.rocketmq.consumer.share import Held, Share
from mqcheck.rocketmq.message import StoredRecord
from mqcheck.rocketmq.models import ClientSettings, MessageQueue
from mqcheck.sabotage import CLIENT_SABOTAGES, seam_of
from mqcheck.sabotage.consumers import IDLE_MS

SETTINGS = ClientSettings(threshold_messages=2)


def held(offset: int) -> Held:
    record: Any = StoredRecord("T", 0, offset, 0, b"x", {}, b"", 0, 0, 0, ("h", 1), 0, ("h", 1), 0, 0, 0)
    return Held(record, None, 0)


def share(bug: str | None, *, broadcasting: bool = False, orderly: bool = False) -> Share:
    """A share that holds the messages 6, 7 and 8."""
    fresh = Share(MessageQueue("T", "b", 0), 1, locked_ns=5)
    own = seam_of(bug).share(fresh, broadcasting=broadcasting, orderly=orderly)
    assert (own.queue, own.session, own.locked_ns) == (fresh.queue, 1, 5)
    own.put([held(offset) for offset in (6, 7, 8)])
    own.go_on(9)
    return own


def test_each_kind_of_share_is_only_for_its_own_consumers() -> None:
    for bug in ("commit-unfinished", "stay-full", "resume-late", "pull-again"):
        assert type(share(bug)) is not Share
        assert type(share(bug, orderly=True)) is type(share(bug, broadcasting=True)) is Share
    for bug in ("swap-orderly", "pass-suspended"):
        assert type(share(bug, orderly=True)) is not Share
        assert type(share(bug)) is Share
    assert type(share("lose-broadcasts", broadcasting=True)) is not Share
    assert type(share("lose-broadcasts")) is Share


@pytest.mark.parametrize(("bug", "committed"), [(None, 6), ("commit-unfinished", 9)])
def test_commit_unfinished(bug: str | None, committed: int) -> None:
    own = share(bug)
    own.finish(7)
    assert own.committable == committed


def test_lose_broadcasts() -> None:
    records = [held(offset) for offset in (6, 7, 8)]
    own = share("lose-broadcasts", broadcasting=True)
    assert list(own.held) == [6, 8]
    own.put(records)
    assert [item.offset for item in records] == [6, 8], "the listener never gets the others"


def test_swap_orderly() -> None:
    own = share("swap-orderly", orderly=True)
    assert own.first().offset == 7
    own.finish(7)
    own.finish(8)
    assert own.first().offset == 6


def test_pass_suspended() -> None:
    own = share("pass-suspended", orderly=True)
    assert own.first().offset == 6
    own.first().retries += 1
    assert own.first().offset == 7
    own.finish(7)
    own.finish(8)
    assert own.first().offset == 6, "when nothing else is left"


def test_stay_full() -> None:
    own, honest = share("stay-full"), share(None)
    for each in (own, honest):
        assert each.full(SETTINGS, orderly=False)
        each.finish(6)
    assert own.full(SETTINGS, orderly=False)
    assert not honest.full(SETTINGS, orderly=False)


def test_resume_late() -> None:
    own, times = share("resume-late"), IDLE_MS // SETTINGS.flow_control_ms
    assert own.full(SETTINGS, orderly=False)
    for offset in (6, 7, 8):
        own.finish(offset)
    assert [own.full(SETTINGS, orderly=False) for _ in range(times)] == [True] * (times - 1) + [False]
    assert not own.full(SETTINGS, orderly=False), "until it is full again"


def test_pull_again() -> None:
    own = share("pull-again")
    assert own.next_offset == 9
    own.go_on(12)
    assert own.next_offset == 11
    own.go_on(12)
    assert own.next_offset == 12
    own.go_on(22)
    assert own.next_offset == 21


@pytest.mark.parametrize(
    ("bug", "name"),
    [
        ("exceed-messages", "threshold_messages"),
        ("exceed-bytes", "threshold_bytes"),
        ("exceed-span", "threshold_span"),
        ("retry-often", "send_retries"),
        ("hurry-suspended", "orderly_suspend_ms"),
    ],
)
def test_acting_by_other_numbers(bug: str, name: str) -> None:
    acted = seam_of(bug).settings(ClientSettings())
    changed = [each for each in ClientSettings.__slots__ if getattr(acted, each) != getattr(ClientSettings(), each)]
    assert changed == [name]


def test_take_any_tag() -> None:
    assert [seam_of(bug).wanted(False) for bug in ("take-any-tag", None)] == [True, False]


def test_names_and_seams() -> None:
    assert all(bug.name == name and bug.summary and bug.guarantee for name, bug in CLIENT_SABOTAGES.items())
    assert seam_of("corrupt-body").told("error") == "error", "a bug of the target's is none of the client's"
    assert seam_of("stay-full") is not seam_of("stay-full")
