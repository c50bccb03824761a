"""Why each area of guarantees matters: what stands above its page, beside what `specs/` says of every promise."""

from __future__ import annotations

TITLES = {
    "storage": "Durability and storage",
    "disks": "Failing disks",
    "reading": "Reading",
    "replication": "Replication",
    "routing": "Routing",
    "nameserver": "Requests to a NameServer",
    "consumption": "Consumption",
    "groups": "Consumer groups",
    "filtering": "Filtering",
    "order": "Order",
    "delay": "Delayed messages",
    "transactions": "Transactions",
    "flow": "Flow",
    "protocol": "Protocol",
    "administration": "Administration",
}

WHY = {
    "storage": "An application that got SEND_OK drops its own copy of the message. If the broker loses it afterwards, nobody "
    "has it, and nobody is told. What SEND_OK means depends on the flush mode: SYNC_FLUSH promises the disk, ASYNC_FLUSH "
    "promises the page cache, which survives a killed process and not a power cut.",
    "disks": "Disks fail in parts: one fsync returns an error, a file ends in half a record, the device is full. A broker "
    "that goes on as if nothing had happened acknowledges what it does not have, or gives consumers what nobody sent.",
    "reading": "Consumers, tools and migrations find messages by offset, time, key and id. A lookup that leaves out what is "
    "stored looks like a loss; one that returns something else sends people after the wrong message.",
    "replication": "A slave is what is left when a master's disk is gone. Under SYNC_MASTER an acknowledgement promises a second "
    "copy; under ASYNC_MASTER the copy comes later, and how much later is how much can be lost. A slave that holds other "
    "bytes at the same offset makes every consumer that moves to it wrong.",
    "routing": "Clients find brokers through NameServers alone. A broker that is gone and still listed costs every client its "
    "time-outs; a broker that is there and not listed has no clients; NameServers that disagree for long split the clients.",
    "nameserver": "Operators and tools change routes, permissions and settings through NameServers. What is answered with "
    "success and not done is found out during the next incident.",
    "consumption": "At least once: a message is delivered until it is done, and one that fails is retried and at last kept in the "
    "dead letter queue. A committed offset that passes an unfinished message loses it silently; an offset that falls back "
    "repeats work without a cause.",
    "groups": "A queue has one owner in a group. If members are not told of each other in time, queues have two owners, and messages "
    "are handled twice; or none, and messages wait.",
    "filtering": "A group that filters must get all that matches and nothing else. What the broker leaves out wrongly is never seen "
    "by the application, and no retry brings it.",
    "order": "Orderly consumers rely on one queue for one sharding key and on one consumer at a time for a queue. Two owners of a "
    "queue, or a retry that lets a later message pass, break what the application was built on: a payment before its order.",
    "delay": "Time-outs of orders and retries are built on delayed messages. Early is a broken rule of business; late, or never, is "
    "an order that stays open.",
    "transactions": "A half message must not be seen before the local transaction has been decided, and must not be forgotten: who "
    "does not decide is asked. A message that is delivered after a rollback is money that was never paid.",
    "flow": "Under overload and while brokers fail, clients must slow down, go elsewhere and come back, and must not lose what they "
    "have taken in.",
    "protocol": "Clients in many languages speak to the same broker. An answer of the wrong form, to the wrong request, or none at "
    "all breaks the one that nobody tested.",
    "administration": "Topics, groups, offsets and settings are changed while the system runs. A change that was answered must be in "
    "force, survive a restart, and touch nothing else.",
}
