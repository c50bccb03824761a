"""The index: both ways of hashing agree, and what was entered is found, the latest first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reference_impl.message import encode_properties
from reference_impl.store.index import KeyIndex, hashes_of, key_hash, stored_hashes_of

NAMES = st.sampled_from(["KEYS", "UNIQ_KEY", "TAGS", "XKEYS", "a"])
VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\x01\x02"), min_size=1, max_size=12)


@given(st.text("Tt%|-é", min_size=1), st.dictionaries(NAMES, VALUES))
def test_a_record_is_known_by_the_same_hashes_as_its_message(topic: str, properties: dict[str, str]) -> None:
    packed = encode_properties(properties).encode()
    assert stored_hashes_of(topic.encode(), packed) == hashes_of(topic, properties)
    assert stored_hashes_of(topic.encode(), packed + b"\x02") == hashes_of(topic, properties)


def test_every_word_of_keys_and_the_unique_key() -> None:
    found = hashes_of("T", {"KEYS": "a  b", "UNIQ_KEY": "u", "TAGS": "t"})
    assert found == [key_hash(b"T", key) for key in (b"u", b"a", b"b")]
    assert hashes_of("T", {}) == []
    assert key_hash(b"T", b"a") != key_hash(b"U", b"a")


@given(st.lists(st.lists(st.sampled_from("abcd"), max_size=3), max_size=30), st.integers(0, 30))
def test_what_was_entered_is_found_until_it_is_gone(records: list[list[str]], gone: int) -> None:
    index = KeyIndex()
    for number, keys in enumerate(records):
        index.add([key_hash(b"T", key.encode()) for key in keys], number * 100)
    index.forget_before(gone * 100)
    for key in "abcd":
        wanted = [number * 100 for number, keys in enumerate(records) if number >= gone for one in keys if one == key]
        assert list(index.find("T", key)) == wanted[::-1]
    index.clear()
    assert list(index.find("T", "a")) == []


def test_hashes_are_found_only_where_they_begin() -> None:
    index = KeyIndex()
    wanted = key_hash(b"T", b"a")
    low, high = (wanted & 0xFFFF) << 16, wanted >> 16
    index.add([low, high], 7)
    assert list(index.find("T", "a")) == []
