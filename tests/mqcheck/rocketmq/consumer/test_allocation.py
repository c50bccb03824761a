"""mqcheck.rocketmq.consumer.allocation: the official average, and that it covers everything once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mqcheck.rocketmq.consumer.allocation import average
from mqcheck.rocketmq.models import MessageQueue

QUEUES = st.lists(st.builds(MessageQueue, st.just("T"), st.sampled_from("ab"), st.integers(0, 20)), unique=True)
MEMBERS = st.lists(st.text("xyz", min_size=1, max_size=4), min_size=1, max_size=6, unique=True)


@given(QUEUES, MEMBERS)
def test_every_queue_has_exactly_one_owner(queues: list[MessageQueue], members: list[str]) -> None:
    parts = [average(member, members, queues) for member in sorted(members)]
    assert [queue for part in parts for queue in part] == sorted(queues)
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) <= 1
    assert sizes == sorted(sizes, reverse=True)


@given(QUEUES, MEMBERS)
def test_order_of_what_a_broker_lists_does_not_matter(queues: list[MessageQueue], members: list[str]) -> None:
    for member in members:
        assert average(member, members[::-1], queues[::-1]) == average(member, members, queues)


def test_a_stranger_gets_nothing() -> None:
    assert average("z", ["a", "b"], [MessageQueue("T", "b", 0)]) == ()
    assert average("z", [], [MessageQueue("T", "b", 0)]) == ()
