"""A small shop: a desk takes orders, a warehouse packs them, and RocketMQ is between them.

Whatever goes wrong in between, an order that the desk has taken becomes exactly one parcel.
"""

import json
import sqlite3
import threading
from pathlib import Path

from rocketmq.client import Message, Producer, PushConsumer, SendStatus
from rocketmq.exceptions import RocketMQException

ORDERS = "orders"
REMINDERS = "reminders"
TWO_HOURS = 18
"""The delay level of RocketMQ."""


class NotTakenError(Exception):
    """Nobody knows whether the order has arrived; taking it again does no harm."""


class Desk:
    """Takes orders. The client repeats a send whose answer does not come, so an order may be sent twice."""

    def __init__(self, nameserver, timeout_ms=3000):
        self._producer = Producer("desk", timeout=timeout_ms)
        self._producer.set_namesrv_addr(nameserver)
        self._producer.start()

    def take(self, number, apples):
        """When this returns, the broker has the order. Raises NotTakenError."""
        self._send(ORDERS, number, {"order": number, "apples": apples})

    def remind_later(self, number):
        """Have the customer reminded in two hours, unless the order is paid by then."""
        self._send(REMINDERS, number, {"order": number}, delay_level=TWO_HOURS)

    def close(self):
        self._producer.shutdown()

    def _send(self, topic, key, content, delay_level=None):
        message = Message(topic)
        message.set_keys(key)
        message.set_body(json.dumps(content))
        if delay_level is not None:
            message.set_delay_time_level(delay_level)
        try:
            status = self._producer.send_sync(message).status
        except RocketMQException as error:
            raise NotTakenError(key) from error
        if status != SendStatus.OK:
            raise NotTakenError(key)


class Warehouse:
    """Packs each order once, however often it is delivered."""

    def __init__(self, nameserver, database: Path):
        self.handled = 0
        """Messages so far, repeated ones too: a figure for the shop's monitoring."""
        self._lock = threading.Lock()
        self._database = sqlite3.connect(database, check_same_thread=False)
        with self._database:
            self._database.execute("CREATE TABLE IF NOT EXISTS parcels (number TEXT PRIMARY KEY, apples INTEGER)")
            self._database.execute("CREATE TABLE IF NOT EXISTS paid (number TEXT PRIMARY KEY)")
            self._database.execute("CREATE TABLE IF NOT EXISTS reminded (number TEXT)")
        self._consumers = [
            self._consume(nameserver, ORDERS, self._pack),
            self._consume(nameserver, REMINDERS, self._remind),
        ]

    def parcels(self):
        """Numbers of packed orders with their apples, sorted."""
        return self._all("SELECT number, apples FROM parcels ORDER BY number, apples")

    def reminded(self):
        """Numbers of orders whose customers were reminded."""
        return [number for (number,) in self._all("SELECT number FROM reminded ORDER BY number")]

    def pay(self, number):
        with self._lock, self._database:
            self._database.execute("INSERT OR IGNORE INTO paid VALUES (?)", (number,))

    def close(self):
        for consumer in self._consumers:
            consumer.shutdown()
        self._database.close()

    def _pack(self, message):
        order = json.loads(message.body)
        with self._lock, self._database:
            # The number is the key of the table: what is delivered again changes nothing.
            self._database.execute("INSERT OR IGNORE INTO parcels VALUES (?, ?)", (order["order"], order["apples"]))
            self.handled += 1

    def _remind(self, message):
        number = json.loads(message.body)["order"]
        with self._lock, self._database:
            self._database.execute(
                "INSERT INTO reminded SELECT ? WHERE NOT EXISTS (SELECT 1 FROM paid WHERE number = ?)",
                (number, number),
            )
            self.handled += 1

    def _consume(self, nameserver, topic, handle):
        consumer = PushConsumer(f"warehouse-{topic}")
        consumer.set_namesrv_addr(nameserver)
        # A connection of its own. Clients of one process share one unless they have names, and the C++ client closes
        # it when a send has no answer: consumers that share it get nothing for up to half a minute.
        consumer.set_instance_name(f"warehouse-{topic}")
        consumer.subscribe(topic, handle)
        consumer.start()
        return consumer

    def _all(self, query):
        with self._lock:
            return self._database.execute(query).fetchall()
