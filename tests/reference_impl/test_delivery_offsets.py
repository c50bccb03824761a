"""Committed offsets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reference_impl.delivery.offsets import OffsetTable

NAMES = st.text("abc%_-", min_size=1, max_size=8)


def test_the_last_writer_wins_even_backwards() -> None:
    offsets = OffsetTable()
    assert offsets.query("G", "T", 0) is None
    offsets.commit("G", "T", 0, 9)
    offsets.commit("G", "T", 0, 3)
    assert offsets.query("G", "T", 0) == 3
    assert offsets.unsaved
    offsets.commit("G", "T", 0, -5)
    assert offsets.query("G", "T", 0) == 0


def test_groups_topics_and_queues_are_independent() -> None:
    offsets = OffsetTable()
    offsets.commit("G", "T", 0, 1)
    offsets.commit("H", "T", 0, 2)
    offsets.commit("G", "U", 0, 3)
    offsets.commit("G", "T", 1, 4)
    assert sorted(offsets.items()) == [("G", "T", 0, 1), ("G", "T", 1, 4), ("G", "U", 0, 3), ("H", "T", 0, 2)]
    offsets.forget_topic("T")
    assert list(offsets.items()) == [("G", "U", 0, 3)]
    offsets.reset()
    assert not list(offsets.items())


@given(st.dictionaries(st.tuples(NAMES, NAMES, st.integers(0, 9)), st.integers(0, 1 << 60)))
def test_what_is_saved_comes_back(entries: dict[tuple[str, str, int], int]) -> None:
    offsets = OffsetTable()
    for (group, topic, queue), offset in entries.items():
        offsets.commit(group, topic, queue, offset)
    again = OffsetTable()
    again.load_json(offsets.to_json())
    assert again.offsets == offsets.offsets


def test_foreign_keys_are_left_out() -> None:
    offsets = OffsetTable()
    offsets.load_json({"offsetTable": {"nonsense": {"0": 1}, "T@G": {"0": 2}}})
    assert list(offsets.items()) == [("G", "T", 0, 2)]


def test_groups_and_topics_find_each_other() -> None:
    offsets = OffsetTable()
    offsets.commit("G", "T", 0, 1)
    offsets.commit("H", "T", 0, 2)
    offsets.commit("G", "U", 0, 3)
    assert (offsets.groups_of("T"), offsets.topics_of("G"), offsets.topics_of("X")) == (["G", "H"], ["T", "U"], [])
    offsets.unsaved = False
    offsets.clone("X", "I", "T")
    assert not offsets.unsaved
    offsets.clone("G", "H", "T")
    assert offsets.query("H", "T", 0) == 1
    offsets.forget_group("G")
    assert list(offsets.items()) == [("H", "T", 0, 1)]
