"""mqcheck.rocketmq.digests: what counts as the user's, and that any change shows."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mqcheck.rocketmq.digests import digest, props_digest, user_properties

NAMES = st.text("abc", min_size=1, max_size=3)
VALUES = st.text(max_size=4)


def test_digest_is_64_bits_signed_and_stable() -> None:
    assert digest(b"") == -1970711489451281740
    assert -(2**63) <= digest(b"abc") < 2**63


@given(st.dictionaries(NAMES, VALUES, max_size=4), VALUES, VALUES, st.integers(-9, 9))
def test_what_brokers_add_and_encoding_loses_is_left_out(
    properties: dict[str, str], tag: str, keys: str, flag: int
) -> None:
    seen = {**properties, "CLUSTER": "c", "MQC": "r.1.0", "UNIQ_KEY": "X", "WAIT": "true", "lost": "", "bad": "a\x01b"}
    assert props_digest(seen, tag, keys, flag) == props_digest(properties, tag, keys, flag)
    assert props_digest(dict(reversed(properties.items())), tag, keys, flag) == props_digest(
        properties, tag, keys, flag
    )


def test_every_part_counts() -> None:
    base = props_digest({"a": "1"}, "t", "k", 0)
    others = [
        props_digest({"a": "2"}, "t", "k", 0),
        props_digest({"b": "1"}, "t", "k", 0),
        props_digest({}, "t", "k", 0),
        props_digest({"a": "1"}, "u", "k", 0),
        props_digest({"a": "1"}, "t", "l", 0),
        props_digest({"a": "1"}, "t", "k", 1),
        props_digest({"a": "1t"}, "", "k", 0),
    ]
    assert base not in others
    assert len(set(others)) == len(others)


def test_no_tag_is_an_empty_tag() -> None:
    assert props_digest({}, None, None, 0) == props_digest({}, "", "", 0)
    assert user_properties({"KEYS": "k", "mine": "1"}) == {"mine": "1"}
