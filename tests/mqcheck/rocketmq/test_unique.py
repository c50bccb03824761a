"""mqcheck.rocketmq.unique: the official layout, never twice."""

from __future__ import annotations

import random

from mqcheck.rocketmq.unique import UniqueKeys, month_start_ms

NOVEMBER_23 = 1_795_431_600_000


def test_layout() -> None:
    key = UniqueKeys(0x1234, random.Random(1)).make(NOVEMBER_23)
    assert len(key) == 32
    assert key == key.upper()
    assert key.startswith("7F0000011234")
    assert int(key[20:28], 16) == NOVEMBER_23 - month_start_ms(NOVEMBER_23)


def test_month_start() -> None:
    assert month_start_ms(NOVEMBER_23) == 1_793_491_200_000
    assert month_start_ms(1_793_491_200_000) == 1_793_491_200_000


def test_keys_of_one_millisecond_differ() -> None:
    keys = UniqueKeys(0, random.Random(2))
    assert len({keys.make(NOVEMBER_23) for _ in range(5000)}) == 5000


def test_same_seed_same_keys() -> None:
    first, second = (UniqueKeys(7, random.Random(3)) for _ in range(2))
    assert [first.make(1) for _ in range(3)] == [second.make(1) for _ in range(3)]
    assert UniqueKeys(7, random.Random(4)).make(1) != first.make(1)
