"""BrokerCore: requests, closed connections, flushes and time go in, effects come out.

Dispatch and timers only: each code's meaning is with its handler. No clock, socket, file or thread is known here.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from functools import partial
from typing import Final

from reference_impl.broker import (
    broker_admin,
    busy,
    client_admin,
    group_admin,
    locks,
    members,
    offset_admin,
    offsets,
    persistence,
    pulls,
    queries,
    replication,
    replies,
    retention,
    sendback,
    sends,
    topic_admin,
    transactions,
)
from reference_impl.broker.arrivals import deliver_due
from reference_impl.broker.request import RefusalError, Request
from reference_impl.broker.state import Handler, new_state
from reference_impl.broker.timers import Timers
from reference_impl.commands import ResponseCode, unsupported_remark
from reference_impl.delivery.statistics import HOURS_MS, MINUTES_MS, SECONDS_MS
from reference_impl.disk import Disk
from reference_impl.effects import Effect, Reply
from reference_impl.errors import RecordError, RecordTooLargeError, StoreBusyError, WireError
from reference_impl.frame import Command
from reference_impl.settings import BrokerSettings
from reference_impl.store import Store
from reference_impl.unexpected import failed

HANDLERS: Final[dict[int, Handler]] = {
    **sends.HANDLERS,
    **pulls.HANDLERS,
    **sendback.HANDLERS,
    **offsets.HANDLERS,
    **members.HANDLERS,
    **locks.HANDLERS,
    **queries.HANDLERS,
    **replies.HANDLERS,
    **retention.HANDLERS,
    **transactions.HANDLERS,
    **topic_admin.HANDLERS,
    **group_admin.HANDLERS,
    **offset_admin.HANDLERS,
    **client_admin.HANDLERS,
    **broker_admin.HANDLERS,
}
"""What this broker serves; every other code is answered REQUEST_CODE_NOT_SUPPORTED."""


class BrokerCore:
    """One broker without its sockets. Made by the shell for each life; tables and messages come from ``disk`` and
    ``store``.

    Everything belongs to one thread. Raises StoreDamagedError when a saved table cannot be read.
    """

    def __init__(self, settings: BrokerSettings, store: Store, disk: Disk, rng: random.Random) -> None:
        self.state = new_state(settings, store, disk, rng)
        self._timers = Timers()
        persistence.load(self.state)

    def start(self, now_ms: int) -> list[Effect]:
        """The broker listens: set the timers, look for delayed messages, register at every NameServer."""
        state = self.state
        state.started_ms = now_ms
        every = self._timers.every
        every(lambda: state.settings.register_period_ms, self._register, now_ms)
        every(lambda: state.settings.client_scan_ms, lambda now: members.expire(state, now), now_ms)
        every(lambda: pulls.hold_period_ms(state), lambda now: pulls.scan_held(state, now), now_ms)
        every(lambda: state.settings.flushConsumerOffsetInterval, self._save_offsets, now_ms)
        every(lambda: state.settings.flushDelayOffsetInterval, self._save_schedule, now_ms)
        every(lambda: state.settings.cleanResourceInterval, lambda now: retention.clean(state, now), now_ms)
        self._count(now_ms)
        persistence.save_topics(state)
        if state.slave is not None:
            # Delays and transactions are the master's to go on with.
            every(lambda: state.settings.slave_sync_ms, lambda _: replication.ask_tables(state), now_ms)
            return [*replication.tick(state, now_ms), *self._register(now_ms)]
        every(lambda: state.settings.transactionCheckInterval, lambda now: transactions.check(state, now), now_ms)
        state.schedule.resume(state.store, now_ms)
        transactions.resume(state)
        return self._register(now_ms)

    def arrived(self, now_ms: int, count: int) -> None:
        """So many requests follow whose bytes have been at hand since ``now_ms``. Clause: dur-reject-absent."""
        self.state.backlog = busy.Backlog(now_ms, count)

    def request(self, now_ms: int, conn: int, peer: tuple[str, int], command: Command) -> list[Effect]:
        """Serve one request. A one-way request gets no answer, whatever happens. Clauses: prt-opaque,
        prt-unknown-code.
        """
        backlog = self.state.backlog
        backlog.left -= 1
        if command.is_response:
            return self.state.relays.answered(conn, command, now_ms)
        request = Request(now_ms, conn, peer, command)
        try:
            if now_ms > backlog.since_ms and backlog.left >= 0:
                busy.refuse_late(self.state, request)
            effects = self._serve(request)
        except RefusalError as refusal:
            effects = request.reply(refusal.code, refusal.fields, remark=refusal.remark)
        except WireError as error:
            effects = request.reply(ResponseCode.SYSTEM_ERROR, remark=str(error))
        except OSError as error:
            # A failing disk: this request fails, the connection and the broker go on.
            effects = request.reply(ResponseCode.SYSTEM_ERROR, remark=f"{type(error).__name__}: {error}")
        except Exception as error:  # answered as RocketMQ answers a processor that throws, and reported
            self.state.unexpected_errors += 1
            answer, report = failed(command, error)
            effects = [Reply(conn, answer), report]
        effects += replication.send_appended(self.state, now_ms)
        if command.is_oneway:
            return [effect for effect in effects if not _answers(effect, request)]
        return effects

    def response(self, now_ms: int, token: str, command: Command | None) -> list[Effect]:
        """An outgoing Call was answered, or failed (``None``): both end the wait, the next period tries again."""
        state = self.state
        return [
            *replication.registered(state, now_ms, token, command),
            *replication.answered(state, token, command),
            *broker_admin.registered(state, now_ms, token, command),
        ]

    def closed(self, now_ms: int, conn: int) -> list[Effect]:
        """A connection ended: its members are out at once, and the others are told. Clause: con-notify-ids."""
        self.state.held.closed(conn)
        self.state.registrar.closed(conn)
        unanswered = self.state.relays.closed(conn, now_ms)
        return [*unanswered, *members.notify(self.state, self.state.members.closed(conn))]

    def flushed(self, now_ms: int, position: int) -> list[Effect]:
        """Everything before ``position`` of the log is on the disk. Clause: dur-ack-power-sf."""
        return self.state.flush_line.reached(position)

    def stream(self, now_ms: int, stream: int, data: bytes | None) -> list[Effect]:
        """An HA connection opened (b""), brought bytes, or ended (None). Clause: rep-sync-ack."""
        return replication.stream(self.state, now_ms, stream, data)

    def tick(self, now_ms: int) -> list[Effect]:
        """Do what time asks for."""
        effects = [*self.state.flush_line.expired(now_ms), *self.state.relays.expired(now_ms)]
        self.state.schedule.follow_clock(now_ms)
        due_ms = self.state.schedule.next_due_ms()
        if due_ms is not None and due_ms <= now_ms:
            effects += self._deliver(now_ms)
        effects += self._timers.run(now_ms)
        effects += transactions.go_on(self.state, now_ms)
        return [*effects, *replication.send_appended(self.state, now_ms), *replication.tick(self.state, now_ms)]

    def next_deadline_ms(self) -> int | None:
        """When ``tick`` has something to do; None before the start."""
        state = self.state
        waits = (state.flush_line, state.relays)
        times = (
            self._timers.next_ms,
            state.schedule.next_due_ms(),
            state.transactions.next_slice_ms,
            *(w.next_deadline_ms() for w in waits),
            *replication.next_deadlines_ms(state),
        )
        return min((time for time in times if time is not None), default=None)

    def stop(self, now_ms: int) -> list[Effect]:
        """A clean stop: save every table durably, unregister. The shell syncs the store."""
        transactions.commit_progress(self.state)
        persistence.save_topics(self.state)
        persistence.save_groups(self.state, durable=True)
        persistence.save_offsets(self.state, durable=True)
        persistence.save_schedule(self.state, durable=True)
        return self.state.registrar.unregister()

    def empty(self, now_ms: int) -> list[Effect]:
        """Forget all that users made: topics, groups, messages, offsets, locks; whoever is connected stays
        connected.
        """
        state = self.state
        state.store.empty()
        state.held.clear()
        state.topics.reset()
        state.topics.version.advance(now_ms)
        state.groups.reset()
        state.offsets.reset()
        state.locks.reset()
        state.schedule.reset()
        state.transactions.reset()
        state.deleted_topics.clear()
        persistence.save_topics(state)
        persistence.save_deleted_topics(state)
        persistence.save_groups(state, durable=False)
        persistence.save_offsets(state, durable=False)
        persistence.save_schedule(state, durable=False)
        return state.registrar.register(state.topics)

    def clock_moved(self, by_ms: int, *, expire: bool) -> None:
        """The clock was moved on purpose: what messages wait for comes nearer, what the line owes does not.

        Unless ``expire``, members and queue locks stay as old as they were: their owners cannot have noticed.
        """
        state = self.state
        lines = (state.flush_line, state.replica_line, state.relays)
        sides = (side for side in (state.master, state.slave) if side is not None)
        for each in (*lines, *sides, *(() if expire else (state.members, state.locks))):
            each.clock_moved(by_ms)
        state.schedule.clock_moved()

    def _serve(self, request: Request) -> list[Effect]:
        if self.state.slave is not None:
            replication.refuse_on_slave(request)
        handler = HANDLERS.get(request.command.code)
        if handler is None:
            remark = unsupported_remark(request.command.code)
            return request.reply(ResponseCode.REQUEST_CODE_NOT_SUPPORTED, remark=remark)
        try:
            return handler(self.state, request)
        except StoreBusyError as error:
            return request.reply(ResponseCode.SYSTEM_BUSY, remark=f"[PC_SYNCHRONIZED]broker busy: {error}")
        except (RecordError, RecordTooLargeError) as error:
            return request.reply(ResponseCode.MESSAGE_ILLEGAL, remark=str(error))

    def _deliver(self, now_ms: int) -> list[Effect]:
        try:
            return deliver_due(self.state, now_ms)
        except (OSError, StoreBusyError):
            # Progress was not advanced: the same messages are tried again.
            self.state.schedule.postpone(now_ms)
            return []

    def _register(self, _: int) -> list[Effect]:
        return self.state.registrar.register(self.state.topics, follow_order=True)

    def _count(self, now_ms: int) -> None:
        counts = self.state.statistics
        counts.start(now_ms)
        periods = (
            (SECONDS_MS, counts.sample_seconds),
            (MINUTES_MS, counts.sample_minutes),
            (HOURS_MS, counts.sample_hours),
        )
        for period_ms, sample in periods:
            self._timers.every(period_ms, partial(_sampled, sample), now_ms)

    def _save_offsets(self, _: int) -> list[Effect]:
        # What a full disk refuses stays marked as unsaved, for the next time.
        with contextlib.suppress(OSError):
            persistence.save_offsets(self.state, durable=False)
            persistence.save_groups(self.state, durable=False)
        return []

    def _save_schedule(self, _: int) -> list[Effect]:
        with contextlib.suppress(OSError):
            persistence.save_schedule(self.state, durable=False)
        return []


def _answers(effect: Effect, request: Request) -> bool:
    """Whether an effect is the answer to this request (and not one to a held pull that it woke)."""
    return isinstance(effect, Reply) and effect.conn == request.conn and effect.command.opaque == request.command.opaque


def _sampled(sample: Callable[[int], None], now_ms: int) -> list[Effect]:
    sample(now_ms)
    return []
