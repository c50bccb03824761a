"""How many guarantees a run was judged by."""

from __future__ import annotations

from mqcheck.report.counts import NO_AREA, counts


def test_levels_subjects_and_areas_are_counted() -> None:
    lines = [
        {"level": "SHOULD", "subject": "client", "area": "order"},
        {"level": "MUST", "subject": "broker", "area": "order"},
        {"level": "MUST", "subject": "broker", "area": "storage"},
        {"level": "MUST", "subject": "nameserver"},
    ]
    assert counts(lines) == [
        "4 guarantees: MUST 3, SHOULD 1; broker 2, nameserver 1, client 1",
        f"by area: order 2, storage 1, {NO_AREA} 1",
    ]
