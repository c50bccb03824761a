"""The push consumer: long polling, flow control, concurrent and orderly listeners, rebalance, offsets.

``consumer`` holds one member of a group together; ``allocation`` says which queues it owns, ``share`` is one ownership
of one queue, ``pull_loop`` fills it, ``concurrent`` and ``orderly`` empty it, ``progress`` keeps and commits offsets,
``listening`` calls the listener and writes deliveries and results.
"""

from mqcheck.rocketmq.consumer.consumer import Consumer
from mqcheck.rocketmq.consumer.listening import Listener

__all__ = ["Consumer", "Listener"]
