"""The broker: one pure core that turns requests, time and flushes into effects.

In reading order: ``request`` (decoding header fields, refusing) → ``state`` (all tables together) → ``timers`` →
``registration`` → ``persistence`` → ``pulls`` → ``arrivals`` (what every stored message sets off) → ``flushing`` →
``sends`` → ``sendback`` → ``offsets``, ``members``, ``locks``, ``admin`` (handlers by area) →
``replication`` (what masters and slaves do) → ``core`` (dispatch).
"""

from __future__ import annotations

from reference_impl.broker.core import BrokerCore

__all__ = ["BrokerCore"]
