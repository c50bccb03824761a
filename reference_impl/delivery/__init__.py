"""Delivery: who is there, what they have read, who waits, who owns a queue.

In reading order: ``topics`` and ``groups`` (configuration), ``members`` (who is connected), ``filters``,
``offsets``, ``held`` (waiting pulls), ``locks``. Every table here is plain memory, changed by the broker's handlers
and by time that is handed in; nothing here reads bytes from the wire or messages from the store.
"""
