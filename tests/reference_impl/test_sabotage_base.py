"""The wrappers that planted bugs are built on change nothing themselves."""

from __future__ import annotations

from typing import Any

from reference_impl.sabotage.base import Passing, PassingCore, Sabotage

Bench = Any


def test_a_bug_without_wrappers_changes_nothing(bench: type[Bench]) -> None:
    b = bench(planted=[Sabotage("none", "does nothing", None)])
    assert b.core is b.broker
    assert b.broker.state.disk is b.disk
    assert b.broker.state.store is b.store


def test_passing_on_is_invisible(bench: type[Bench]) -> None:
    through = Sabotage(
        "through",
        "passes everything on",
        None,
        wrap_disk=lambda disk, sleep: Passing(disk),  # type: ignore[arg-type, return-value]
        wrap_store=Passing,  # type: ignore[arg-type]
        wrap_core=lambda core, settings: PassingCore(core),
    )
    answers = []
    for planted in ([], [through]):
        b = bench(planted=planted, flushDiskType="SYNC_FLUSH")
        b.answer_calls()
        opaque = b.begin(310, b.send_fields("T"), b"x")
        b.flush()
        b.heartbeat(2, "G")
        b.advance(6_000)
        b.close(2)
        b.restart(clean=True)
        answers.append((b.answer(opaque), b.bodies("T"), b.core.state.started_ms, b.pull("T").code))
    assert answers[0] == answers[1]
