"""Payloads: seeded, in several scripts, now and then empty, once as large as a broker takes."""

from __future__ import annotations

import random

from mqcheck.rocketmq.models import Outgoing
from mqcheck.workloads.payloads import BODY_BYTES_MAX, TAGS, Payloads


def messages(seed: int, count: int, largest_at: int | None = None) -> list[Outgoing]:
    payloads = Payloads("t", random.Random(seed), seed=seed, largest_at=largest_at)
    return [payloads.next() for _ in range(count)]


def test_the_same_seed_gives_the_same_messages_and_another_seed_others() -> None:
    assert messages(5, 20) == messages(5, 20)
    assert messages(5, 20) != messages(6, 20)


def test_bodies_are_empty_now_and_then_and_largest_once() -> None:
    sizes = [len(message.body) for message in messages(1, 300, largest_at=17)]
    assert sizes[17] == BODY_BYTES_MAX
    assert sizes.count(BODY_BYTES_MAX) == 1
    assert 3 <= sizes.count(0) <= 40


def test_keys_tags_and_properties_are_unicode_and_legal() -> None:
    found = messages(2, 300)
    assert {message.tag for message in found} == set(TAGS)
    keys = [key for message in found for key in message.keys]
    assert len(set(keys)) >= 300
    assert any(not key.isascii() for key in keys)
    assert any(not value.isascii() for message in found for value in message.properties.values())
    assert not any(" " in key for key in keys)
    assert not any({"\1", "\2"} & set(value) for message in found for value in (*message.properties.values(), *keys))
