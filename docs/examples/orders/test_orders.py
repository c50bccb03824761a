"""The shop, while the RocketMQ between its parts does what a RocketMQ may do."""

import pytest
from orders import ORDERS, REMINDERS, Desk, NotTakenError, Warehouse

SECONDS = 10
"""How long something may take that is to happen; it takes milliseconds."""


@pytest.fixture
def opened():
    """Opens desks and warehouses, and closes them while their broker is there."""
    made = []

    def make(kind, nameserver, *arguments):
        made.append(kind(nameserver, *arguments))
        return made[-1]

    yield make
    for each in reversed(made):
        each.close()


@pytest.fixture
def broker(rocketmq_server):
    """The shop's topics are there before it opens, as in production."""
    for topic in (ORDERS, REMINDERS):
        rocketmq_server.create_topic(topic)
    return rocketmq_server


@pytest.fixture
def desk(broker, opened):
    return opened(Desk, broker.nameserver_address, 300)


@pytest.fixture
def warehouse(broker, opened, tmp_path):
    return opened(Warehouse, broker.nameserver_address, tmp_path / "warehouse.db")


def test_orders_become_parcels(broker, desk, warehouse):
    desk.take("A1", apples=3)
    desk.take("A2", apples=5)
    broker.wait_for(lambda: warehouse.parcels() == [("A1", 3), ("A2", 5)], SECONDS)


def test_an_order_whose_answer_is_lost_is_packed_once(broker, desk, warehouse, rocketmq_faults):
    with rocketmq_faults.lose_reply(topic=ORDERS, nth=3):
        for number in ("A1", "A2", "A3"):
            desk.take(number, apples=1)
    sent = [message.keys for message in broker.messages(ORDERS)]
    assert sent.count(("A3",)) >= 2  # the client has sent it again, as another message
    broker.wait_for(lambda: warehouse.handled == len(sent), SECONDS)
    assert warehouse.parcels() == [("A1", 1), ("A2", 1), ("A3", 1)]


def test_an_order_that_is_delivered_twice_is_packed_once(broker, desk, warehouse, rocketmq_faults):
    with rocketmq_faults.deliver_twice(keys="A2"):
        desk.take("A1", apples=1)
        desk.take("A2", apples=1)
    sent = [message.keys for message in broker.messages(ORDERS)]
    assert sent.count(("A2",)) >= 2
    broker.wait_for(lambda: warehouse.handled == len(sent), SECONDS)
    assert warehouse.parcels() == [("A1", 1), ("A2", 1)]


def test_an_order_that_is_refused_is_not_taken(broker, desk, rocketmq_faults):
    with rocketmq_faults.refuse(14, topic=ORDERS, times=None), pytest.raises(NotTakenError):  # 14: the disk is full
        desk.take("A1", apples=1)
    desk.take("A1", apples=1)
    assert {message.keys for message in broker.messages(ORDERS)} == {("A1",)}


def test_orders_outlive_a_killed_broker(broker, desk, opened, rocketmq_faults, tmp_path):
    desk.take("A1", apples=1)
    with rocketmq_faults.kill(), pytest.raises(NotTakenError):
        desk.take("A2", apples=1)
    desk.take("A2", apples=1)
    warehouse = opened(Warehouse, broker.nameserver_address, tmp_path / "warehouse.db")
    broker.wait_for(lambda: warehouse.parcels() == [("A1", 1), ("A2", 1)], SECONDS)


def test_orders_outlive_a_power_cut(rocketmq_cluster, opened, rocketmq_faults, tmp_path):
    cluster = rocketmq_cluster(flush="SYNC_FLUSH")
    for topic in (ORDERS, REMINDERS):
        cluster.create_topic(topic)
    opened(Desk, cluster.nameserver_address, 300).take("A1", apples=1)
    rocketmq_faults.on(cluster).power_cut("broker-a").heal()
    warehouse = opened(Warehouse, cluster.nameserver_address, tmp_path / "warehouse.db")
    cluster.wait_for(lambda: warehouse.parcels() == [("A1", 1)], SECONDS)


def test_who_has_not_paid_is_reminded_after_two_hours(broker, desk, warehouse):
    for number in ("A1", "A2"):
        desk.remind_later(number)
    broker.advance("1h59m")
    warehouse.pay("A2")
    assert broker.messages(REMINDERS) == ()
    broker.advance("1m")
    due = len(broker.messages(REMINDERS))
    broker.wait_for(lambda: warehouse.handled == due >= 2, SECONDS)
    assert set(warehouse.reminded()) == {"A1"}
