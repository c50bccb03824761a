"""What a planted bug is: a name, the guarantee that must catch it, and a wrapper for each seam it needs.

Must not contain any bug. The wrappers of the areas build on the two passing-on classes here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from msgspec import Struct
from msgspec.structs import replace

from reference_impl.commands import DLQ_PREFIX, RETRY_PREFIX, SYSTEM_TOPICS, ResponseCode
from reference_impl.connection import Listener
from reference_impl.disk import Disk
from reference_impl.effects import Effect, Reply
from reference_impl.frame import Command
from reference_impl.server import Core
from reference_impl.settings import BrokerSettings, NameServerSettings
from reference_impl.store import Store

Sleep = Callable[[float], None]
"""Waits so many seconds, in the thread that syncs."""
CoreSettings = BrokerSettings | NameServerSettings


def _same_disk(disk: Disk, sleep: Sleep) -> Disk:
    del sleep
    return disk


def _same_store(store: Store) -> Store:
    return store


def _same_core(core: Core, settings: CoreSettings) -> Core:
    del settings
    return core


def _same_listener(listener: Listener) -> Listener:
    return listener


class Sabotage(Struct, frozen=True):
    """One planted bug or legal oddity; the start applies its wrappers where it makes disk, store, core
    and listeners."""

    name: str
    """As given to ``--sabotage`` or ``--odd``."""
    summary: str
    """What it does, in one line."""
    guarantee: str | None
    """Id of the guarantee that must be violated; None for an oddity, which violates none."""
    role: str = "broker"
    """Whose process it concerns: ``broker`` or ``namesrv``."""
    wrap_disk: Callable[[Disk, Sleep], Disk] = _same_disk
    wrap_store: Callable[[Store], Store] = _same_store
    wrap_core: Callable[[Core, CoreSettings], Core] = _same_core
    wrap_listener: Callable[[Listener], Listener] = _same_listener


class Passing:
    """Passes everything on to ``inner``, except what a subclass defines."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


class PassingCore:
    """Passes every call on to a core, and all effects through ``review``."""

    def __init__(self, inner: Core) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def review(self, now_ms: int, effects: list[Effect]) -> list[Effect]:
        """Look at, or change, what the core wants done."""
        del now_ms
        return effects

    def start(self, now_ms: int) -> list[Effect]:
        """Pass on."""
        return self.review(now_ms, self.inner.start(now_ms))

    def arrived(self, now_ms: int, count: int) -> None:
        """Pass on."""
        self.inner.arrived(now_ms, count)

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Pass on."""
        return self.review(now_ms, self.inner.request(now_ms, conn, peer, command))

    def closed(self, now_ms: int, conn: int) -> list[Effect]:
        """Pass on."""
        return self.review(now_ms, self.inner.closed(now_ms, conn))

    def tick(self, now_ms: int) -> list[Effect]:
        """Pass on."""
        return self.review(now_ms, self.inner.tick(now_ms))

    def next_deadline_ms(self) -> int | None:
        """Pass on."""
        return self.inner.next_deadline_ms()

    def response(self, now_ms: int, token: str, command: Command | None) -> list[Effect]:
        """Pass on."""
        return self.review(now_ms, self.inner.response(now_ms, token, command))

    def flushed(self, now_ms: int, position: int) -> list[Effect]:
        """Pass on."""
        return self.review(now_ms, self.inner.flushed(now_ms, position))

    def stream(self, now_ms: int, stream: int, data: bytes | None) -> list[Effect]:
        """Pass on."""
        return self.review(now_ms, self.inner.stream(now_ms, stream, data))

    def stop(self, now_ms: int) -> list[Effect]:
        """Pass on."""
        return self.review(now_ms, self.inner.stop(now_ms))


def around_core(wrapper: Callable[[Core], Core]) -> Callable[[Core, CoreSettings], Core]:
    """``wrap_core`` for a wrapper that needs no settings."""

    def wrap(core: Core, settings: CoreSettings) -> Core:
        del settings
        return wrapper(core)

    return wrap


def around_store(wrapper: Callable[[Store], Passing]) -> Callable[[Store], Store]:
    """``wrap_store`` for a wrapper that passes on what it does not define."""
    return lambda store: cast(Store, wrapper(store))


def around_disk(wrapper: Callable[[Disk], Passing]) -> Callable[[Disk, Sleep], Disk]:
    """``wrap_disk`` for a wrapper that passes on what it does not define, and never waits."""

    def wrap(disk: Disk, sleep: Sleep) -> Disk:
        del sleep
        return cast(Disk, wrapper(disk))

    return wrap


def success_instead_of(effect: Effect, code: int, body: bytes = b"") -> Effect:
    """SUCCESS with ``body`` in place of an answer of this code; anything else as it is."""
    if not isinstance(effect, Reply) or effect.command.code != code:
        return effect
    return replace(effect, command=replace(effect.command, code=int(ResponseCode.SUCCESS), remark=None, body=body))


def of_user(topic: str) -> bool:
    """Whether people's own messages go there."""
    return topic not in SYSTEM_TOPICS and not topic.startswith((RETRY_PREFIX, DLQ_PREFIX))
