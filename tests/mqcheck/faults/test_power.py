"""Power cuts by the record of what was synced: every kind of line, torn writes, twice the same."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqcheck.errors import FaultError, NodeEndedError
from mqcheck.faults.base import Ground
from mqcheck.faults.power import RECORD_NAME, PowerCut, apply_power_cut


def store(root: Path, files: dict[str, bytes], lines: list[dict[str, object]], tail: str = "") -> Path:
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (root / RECORD_NAME).write_text("".join(json.dumps(line) + "\n" for line in lines) + tail)
    return root


def files_of(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path.name != RECORD_NAME
    }


def test_the_last_line_of_a_file_wins(tmp_path: Path) -> None:
    root = store(
        tmp_path,
        {"log/0": b"0123456789", "never": b"abc"},
        [{"file": "log/0", "synced_bytes": 2}, {"file": "log/0", "synced_bytes": 6}],
        tail='{"file": "log/0", "synced_bytes": 9}',
    )
    effect = apply_power_cut(root, random.Random(1), torn=False)
    assert files_of(root) == {"log/0": b"012345"}
    assert effect["unsynced_bytes_dropped"] == 7
    assert effect["files_removed"] == 1
    assert effect["by_file"] == {"log/0": 4, "never": 3}


def test_a_replacement_that_was_not_synced_gives_way_to_the_earlier_version(tmp_path: Path) -> None:
    root = store(
        tmp_path,
        {"a.json": b"later", "a.json.prev": b"early", "b.json": b"early", "c.json": b"done", "c.json.prev": b"waste"},
        [
            {"file": "a.json", "synced_bytes": 5, "replacing": True},
            {"file": "b.json", "synced_bytes": 5, "replacing": True},
            {"file": "c.json", "synced_bytes": 4, "replaced": True},
        ],
    )
    (root / "b.json.tmp").write_bytes(b"half")
    apply_power_cut(root, random.Random(1), torn=True)
    assert files_of(root) == {"a.json": b"early", "b.json": b"early", "c.json": b"done"}


def test_a_replaced_file_that_is_missing_comes_back(tmp_path: Path) -> None:
    root = store(tmp_path, {"a.json.prev": b"early"}, [{"file": "a.json", "synced_bytes": 5, "replacing": True}])
    assert apply_power_cut(root, random.Random(1), torn=False)["files_restored"] == 1
    assert files_of(root) == {"a.json": b"early"}


def test_a_removed_file_stays_removed(tmp_path: Path) -> None:
    root = store(tmp_path, {"x": b"again"}, [{"file": "x", "synced_bytes": 3}, {"file": "x", "removed": True}])
    apply_power_cut(root, random.Random(1), torn=False)
    assert files_of(root) == {}


def test_without_a_record_nobody_knows(tmp_path: Path) -> None:
    with pytest.raises(FaultError, match=r"synced\.jsonl is missing"):
        apply_power_cut(tmp_path, random.Random(1), torn=False)


@given(written=st.integers(0, 300), synced=st.integers(0, 300), seed=st.integers(0, 10_000), torn=st.booleans())
def test_what_was_synced_survives_and_what_is_left_is_a_prefix(
    tmp_path_factory: pytest.TempPathFactory, written: int, synced: int, seed: int, torn: bool
) -> None:
    data = random.Random(0).randbytes(written)
    root = store(tmp_path_factory.mktemp("store"), {"log": data}, [{"file": "log", "synced_bytes": synced}])
    effect = apply_power_cut(root, random.Random(seed), torn=torn)
    left = files_of(root)["log"]
    assert data.startswith(left)
    assert len(left) >= min(synced, written)
    assert torn or len(left) == min(synced, written)
    assert effect["unsynced_bytes_dropped"] == written - len(left)
    again = files_of(root)
    apply_power_cut(root, random.Random(seed + 1), torn=False)
    assert files_of(root)["log"] == again["log"][: max(min(synced, written), 0)]


def test_a_broker_that_ends_on_what_the_cut_left_stays_down_and_the_effect_says_so(ground_of_one: Ground) -> None:
    class Broken:
        running = False

        async def start(self) -> None:
            raise NodeEndedError("broker-a ended with status 253 before it was ready: 0 length")

    ground = dataclasses.replace(ground_of_one, cluster=cast("Any", SimpleNamespace(nodes={"broker-a": Broken()})))
    effect = asyncio.run(PowerCut("broker-a").heal(ground))
    assert effect == {"did_not_start": "broker-a ended with status 253 before it was ready: 0 length"}
    assert asyncio.run(PowerCut("broker-a").heal(ground_of_one)) is None


def test_only_a_cut_that_dropped_something_is_confirmed() -> None:
    fault = PowerCut("broker-a")
    assert fault.confirmed({"unsynced_bytes_dropped": 1})
    assert not fault.confirmed({"unsynced_bytes_dropped": 0, "files_restored": 1})
    assert fault.parameters() == {"torn": True}
