"""Who is there. Clauses: con-on-expire, con-notify-ids."""

from __future__ import annotations

from reference_impl.delivery.filters import parse_expression
from reference_impl.delivery.members import Client, ConsumerReport, Members, connection_json


def report(group: str, *topics: str, version: int = 1) -> ConsumerReport:
    found = tuple(parse_expression(topic, "*", version) for topic in topics)
    return ConsumerReport(group, "CONSUME_PASSIVELY", "CLUSTERING", "CONSUME_FROM_LAST_OFFSET", found)


def client(conn: int) -> Client:
    return Client(f"c{conn}", conn, ("10.0.0.1", conn))


def test_join_again_and_leave() -> None:
    members = Members(100)
    assert members.consumer_seen(report("G", "T"), client(1), 0)
    assert not members.consumer_seen(report("G", "T"), client(1), 10)
    assert members.consumer_seen(report("G", "T"), client(2), 10)
    assert members.client_ids("G") == ["c1", "c2"]
    assert members.leave(1, "G", None) == ["G"]
    assert members.leave(1, "G", None) == []
    assert members.leave(2, "G", None) == []
    assert "G" not in members.consumers
    assert members.client_ids("G") == []
    assert members.connections("G") == []


def test_changed_topics_count_as_a_change_and_newer_expressions_win() -> None:
    members = Members(100)
    members.consumer_seen(report("G", "T", version=5), client(1), 0)
    assert members.consumer_seen(report("G", "T", "U"), client(1), 1)
    subscription = members.subscription("G", "T")
    assert subscription is not None
    assert subscription.version == 5
    assert not members.consumer_seen(report("G", "T", "U", version=9), client(1), 2)
    subscription = members.subscription("G", "T")
    assert subscription is not None
    assert subscription.version == 9
    assert members.subscription("H", "T") is None


def test_a_closed_connection_takes_all_its_groups() -> None:
    members = Members(100)
    for group in ("G", "H"):
        members.consumer_seen(report(group, "T"), client(1), 0)
        members.consumer_seen(report(group, "T"), client(2), 0)
    members.producer_seen("P", client(1), 0)
    assert members.closed(1) == ["G", "H"]
    assert members.closed(1) == []
    assert "P" not in members.producers
    assert members.connections("G") == [2]


def test_silence_ends_membership_only_after_the_expiry() -> None:
    members = Members(100)
    members.consumer_seen(report("G", "T"), client(1), 0)
    members.producer_seen("P", client(1), 50)
    members.consumer_seen(report("G", "T"), client(2), 60)
    assert members.expire(100) == set()
    assert members.expire(101) == {1}
    assert members.client_ids("G") == ["c2"]
    assert list(members.producers) == ["P"]
    assert members.expire(200) == {1, 2}
    assert not members.consumers
    assert not members.producers
    assert members.closed(1) == []


def test_one_name_for_a_producer_and_a_consumer_group() -> None:
    members = Members(100)
    members.producer_seen("X", client(1), 0)
    members.consumer_seen(report("X", "T"), client(1), 0)
    members.leave(1, None, "X")
    assert members.client_ids("X") == ["c1"]
    members.closed(1)
    assert members.client_ids("X") == []
    assert members.groups_of == {}


def test_as_a_connection() -> None:
    assert connection_json(client(7)) == {
        "clientId": "c7",
        "clientAddr": "10.0.0.1:7",
        "language": "JAVA",
        "version": 0,
    }


def test_a_client_with_two_connections_is_listed_once() -> None:
    members = Members(100)
    members.consumer_seen(report("G", "T"), Client("same", 1, ("h", 1)), 0)
    members.consumer_seen(report("G", "T"), Client("same", 2, ("h", 2)), 0)
    assert members.client_ids("G") == ["same"]
    assert members.connections("G") == [1, 2]
    members.closed(1)
    assert members.client_ids("G") == ["same"]


def test_members_by_client_id_and_what_a_group_wants() -> None:
    members = Members(100)
    members.consumer_seen(report("G", "T"), client(1), 0)
    members.consumer_seen(report("H"), client(2), 0)
    assert members.member("G", "c1") == client(1)
    assert members.member("G", "c2") is None
    assert members.member("X", "c1") is None
    assert members.is_foreign("G", "U")
    assert not members.is_foreign("G", "T")
    assert not members.is_foreign("H", "T"), "wants nothing yet"
    assert not members.is_foreign("X", "T"), "offline"
