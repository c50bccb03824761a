"""Topics: creation on first use, names, versions, what is saved."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.delivery.topics import (
    TopicConfig,
    TopicTable,
    dead_letter_topic,
    retry_topic,
    topic_complaint,
)


def table(auto_create: bool = True) -> TopicTable:
    return TopicTable("broker-a", "C", auto_create, 8)


def test_a_first_send_takes_the_smaller_queue_count_and_no_inherit_bit() -> None:
    topics = table()
    made = topics.create_by_send("T", "TBW102", 4, 5)
    assert made == TopicConfig("T", 4, 4, 6)
    assert topics.create_by_send("U", "TBW102", 99, 6) == TopicConfig("U", 8, 8, 6)
    assert topics.version.counter == 2
    assert topics.version.timestamp_ms == 6


def test_no_topic_is_made_without_a_model_that_allows_it() -> None:
    assert table().create_by_send("T", "SELF_TEST_TOPIC", 4, 5) is None
    assert table().create_by_send("T", "unknown", 4, 5) is None
    assert table(auto_create=False).create_by_send("T", "TBW102", 4, 5) is None


def test_an_unchanged_topic_does_not_advance_the_version() -> None:
    topics = table()
    assert topics.put(TopicConfig("T", 4, 4), 1)
    assert not topics.put(TopicConfig("T", 4, 4), 2)
    assert topics.version.timestamp_ms == 1
    assert topics.put(TopicConfig("T", 5, 4), 3)
    assert topics.remove("T", 4)
    assert not topics.remove("T", 5)
    assert topics.version.counter == 3


def test_internal_topics_are_made_once() -> None:
    topics = table()
    assert topics.create_internal(retry_topic("G"), 1, 1)
    assert not topics.create_internal("%RETRY%G", 1, 2)
    assert dead_letter_topic("G") == "%DLQ%G"


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("", "blank"),
        ("  ", "blank"),
        ("a b", "illegal characters"),
        ("x" * 128, "longer"),
        ("x" * 127, None),
        ("%RETRY%G|_-9", None),
    ],
)
def test_names(name: str, complaint: str | None) -> None:
    found = topic_complaint(name)
    assert (found is None) if complaint is None else (found is not None and complaint in found)


def test_system_topics() -> None:
    topics = table()
    assert topics.is_system("TBW102")
    assert topics.is_system("rmq_sys_wheel_timer")
    assert topics.is_system(topics.broker_name)
    assert not topics.is_system("T")
    assert "TBW102" in topics.system_names()


def test_order_follows_the_configuration() -> None:
    topics = table()
    topics.put(TopicConfig("T"), 1)
    counter = topics.version.counter
    assert topics.set_order({"T", "absent"}, 2)
    assert topics.topics["T"].order
    assert not topics.set_order({"T"}, 3)
    assert topics.version.counter == counter + 1
    assert topics.set_order({}, 4)
    assert not topics.topics["T"].order


@given(
    st.dictionaries(
        st.text(min_size=1), st.tuples(st.integers(0, 99), st.integers(0, 99), st.integers(0, 7), st.booleans())
    )
)
def test_what_is_saved_comes_back(entries: dict[str, tuple[int, int, int, bool]]) -> None:
    topics = table()
    for name, (read, write, perm, order) in entries.items():
        topics.put(TopicConfig(name, read, write, perm, 0, order), 9)
    again = table()
    again.load_json(topics.to_json())
    assert again.topics == topics.topics
    assert again.version == topics.version


def test_reset_leaves_the_born_topics() -> None:
    topics = table()
    topics.put(TopicConfig("T"), 1)
    topics.reset()
    assert topics.get("T") is None
    assert topics.get("TBW102") is not None
    assert len(list(topics)) >= 2


def test_the_topics_a_broker_is_born_with() -> None:
    born = {"TBW102", "SELF_TEST_TOPIC", "BenchmarkTest", "C", "broker-a", "OFFSET_MOVED_EVENT"}
    born |= {"SCHEDULE_TOPIC_XXXX", "C_REPLY_TOPIC"}
    assert {topic.name for topic in table()} == born
    assert {topic.name for topic in TopicTable("broker-a", "C", True, 8, "TRACES")} == born | {"TRACES"}
