from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from reference_impl.disk import RealDisk

Cut = Callable[[Path], None]


def record_lines(root: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (root / "synced.jsonl").read_text().splitlines()]


def tree(root: Path) -> dict[str, bytes]:
    files = [path for path in root.rglob("*") if path.is_file() and path.name != "synced.jsonl"]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def test_reads_what_it_appended(tmp_path: Path) -> None:
    file = RealDisk(tmp_path).open_file("log/0")
    assert [file.append(b"abc"), file.append(b"defg")] == [0, 3]
    assert (file.name, file.size) == ("log/0", 7)
    assert (file.read(2, 3), file.read(5, 99), file.read(7, 1)) == (b"cde", b"fg", b"")


def test_each_sync_is_recorded_after_it_and_covers_what_was_written_before(tmp_path: Path) -> None:
    disk = RealDisk(tmp_path)
    file = disk.open_file("log/0")
    file.append(b"abc")
    assert record_lines(tmp_path) == []
    assert file.sync() == 3
    file.append(b"de")
    assert record_lines(tmp_path) == [{"file": "log/0", "synced_bytes": 3}]
    assert file.sync() == 5
    assert record_lines(tmp_path)[-1] == {"file": "log/0", "synced_bytes": 5}


def test_a_failing_sync_is_not_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = RealDisk(tmp_path).open_file("log/0")
    file.append(b"abc")

    def fail(handle: int) -> None:
        raise OSError(5, f"no disk behind {handle}")

    monkeypatch.setattr(os, "fdatasync", fail)
    with pytest.raises(OSError, match="no disk"):
        file.sync()
    assert record_lines(tmp_path) == []


def test_a_sync_that_cannot_be_recorded_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = RealDisk(tmp_path).open_file("log/0")
    file.append(b"abc")
    monkeypatch.setattr(os, "write", lambda handle, data: len(data) - 1)
    with pytest.raises(OSError, match="could not be written whole"):
        file.sync()
    assert file.synced_size == 0


def test_a_new_file_is_not_recorded_before_its_folders_are_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    real = os.fsync

    def note(handle: int) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{handle}")).relative_to(tmp_path).as_posix())
        assert record_lines(tmp_path) == []
        real(handle)

    file = RealDisk(tmp_path).open_file("a/b/0")
    monkeypatch.setattr(os, "fsync", note)
    monkeypatch.setattr(os, "fdatasync", note)
    file.sync()
    monkeypatch.undo()
    assert synced == ["a/b/0", "a/b", "a", "."]
    assert record_lines(tmp_path) == [{"file": "a/b/0", "synced_bytes": 0}]


def test_power_cut_keeps_exactly_what_was_synced(tmp_path: Path, cut_power: Cut) -> None:
    disk = RealDisk(tmp_path)
    file = disk.open_file("log/0")
    file.append(b"abc")
    file.sync()
    file.append(b"de")
    disk.open_file("log/1").append(b"never synced")
    disk.replace("config/volatile", b"x", durable=False)
    cut_power(tmp_path)
    assert tree(tmp_path) == {"log/0": b"abc"}


def test_power_cut_before_a_replacement_is_synced_brings_the_earlier_version(tmp_path: Path, cut_power: Cut) -> None:
    disk = RealDisk(tmp_path)
    disk.replace("t", b"one", durable=True)
    disk.replace("t", b"twoo", durable=False)
    disk.replace("t", b"three", durable=False)
    assert disk.read_file("t") == b"three"
    assert disk.list() == ["t"]
    assert record_lines(tmp_path)[-1] == {"file": "t", "synced_bytes": 3, "replacing": True}
    cut_power(tmp_path)
    assert tree(tmp_path) == {"t": b"one"}
    cut_power(tmp_path)
    assert tree(tmp_path) == {"t": b"one"}


def test_a_durable_replacement_survives_and_leaves_no_waste(tmp_path: Path, cut_power: Cut) -> None:
    disk = RealDisk(tmp_path)
    disk.replace("t", b"one", durable=True)
    disk.replace("t", b"two", durable=False)
    disk.replace("t", b"three", durable=True)
    assert record_lines(tmp_path)[-1] == {"file": "t", "synced_bytes": 5, "replaced": True}
    assert tree(tmp_path) == {"t": b"three"}
    cut_power(tmp_path)
    assert tree(tmp_path) == {"t": b"three"}


@pytest.mark.parametrize("fails_at", [1, 2])
def test_a_replacement_that_fails_leaves_the_earlier_version_to_the_power_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut_power: Cut, fails_at: int
) -> None:
    disk = RealDisk(tmp_path)
    disk.replace("t", b"one", durable=True)
    real, calls = os.fsync, []

    def fail(handle: int) -> None:
        calls.append(handle)
        if len(calls) == fails_at:
            raise OSError(5, "no disk")
        real(handle)

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no disk"):
        disk.replace("t", b"two", durable=True)
    monkeypatch.setattr(os, "fsync", real)
    cut_power(tmp_path)
    assert tree(tmp_path) == {"t": b"one"}


def test_after_a_kill_the_volatile_version_is_still_volatile(tmp_path: Path, cut_power: Cut) -> None:
    disk = RealDisk(tmp_path)
    disk.replace("t", b"one", durable=True)
    disk.replace("t", b"two", durable=False)
    again = RealDisk(tmp_path)
    assert again.read_file("t") == b"two"
    again.replace("t", b"three", durable=False)
    cut_power(tmp_path)
    assert tree(tmp_path) == {"t": b"one"}


def test_after_a_kill_unsynced_bytes_are_there_and_still_unsynced(tmp_path: Path, cut_power: Cut) -> None:
    file = RealDisk(tmp_path).open_file("log/0")
    file.append(b"abc")
    file.sync()
    file.append(b"de")
    again = RealDisk(tmp_path).open_file("log/0")
    assert again.read(0, 9) == b"abcde"
    again.append(b"f")
    cut_power(tmp_path)
    assert tree(tmp_path) == {"log/0": b"abc"}


def test_removed_files_are_recorded(tmp_path: Path, cut_power: Cut) -> None:
    disk = RealDisk(tmp_path)
    disk.replace("t", b"one", durable=True)
    disk.replace("t", b"two", durable=False)
    disk.replace("u", b"one", durable=True)
    disk.remove("t", "u", "absent")
    assert record_lines(tmp_path)[-2:] == [{"file": "t", "removed": True}, {"file": "u", "removed": True}]
    cut_power(tmp_path)
    assert tree(tmp_path) == {}


def test_a_truncation_is_durable_at_once_and_recorded(tmp_path: Path, cut_power: Cut) -> None:
    file = RealDisk(tmp_path).open_file("log/0")
    file.append(b"abcde")
    file.sync()
    file.truncate(2)
    file.append(b"XYZ")
    assert record_lines(tmp_path)[-1] == {"file": "log/0", "synced_bytes": 2}
    cut_power(tmp_path)
    assert tree(tmp_path) == {"log/0": b"ab"}


def test_at_start_the_record_follows_the_files(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    for name, data in {"cut": b"abc", "torn": b"abcdef", "waste.tmp": b"x", "waste.prev": b"x", "new": b"x"}.items():
        (tmp_path / "log" / name).write_bytes(data)
    lines = [
        {"file": "log/cut", "synced_bytes": 1},
        {"file": "log/cut", "synced_bytes": 9},
        {"file": "log/torn", "synced_bytes": 4},
        {"file": "log/gone", "synced_bytes": 4},
        {"file": "log/removed", "synced_bytes": 4},
        {"file": "log/removed", "removed": True},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines) + '{"file": "log/half'
    (tmp_path / "synced.jsonl").write_text(text)
    disk = RealDisk(tmp_path)
    assert record_lines(tmp_path) == [
        {"file": "log/cut", "synced_bytes": 3},
        {"file": "log/torn", "synced_bytes": 4},
    ]
    assert disk.list() == ["log/cut", "log/new", "log/torn"]
    assert sorted(tree(tmp_path)) == ["log/cut", "log/new", "log/torn"]


def test_what_was_synced_is_not_overwritten_even_after_a_restart(tmp_path: Path) -> None:
    file = RealDisk(tmp_path).open_file("log/0")
    file.append(b"abc")
    file.sync()
    again = RealDisk(tmp_path).open_file("log/0")
    again.append(b"de")
    again.write_at(3, b"DE")
    for at, data in ((2, b"x"), (4, b"xy")):
        with pytest.raises(ValueError, match="not within the unsynced"):
            again.write_at(at, data)
    assert again.read(0, 9) == b"abcDE"


def test_an_append_that_fails_half_way_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = RealDisk(tmp_path).open_file("log/0")
    file.append(b"abc")
    real, calls = os.pwrite, []

    def full(handle: int, data: bytes, at: int) -> int:
        calls.append(at)
        if len(calls) == 2:
            raise OSError(28, "no space left")
        return real(handle, memoryview(data)[:2], at)

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(OSError, match="no space"):
        file.append(b"defg")
    assert file.size == 3
    assert (tmp_path / "log/0").read_bytes() == b"abc"
    assert file.append(b"defg") == 3
    assert file.read(0, 9) == b"abcdefg"


def test_a_volatile_replacement_that_cannot_be_written_leaves_no_temporary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = RealDisk(tmp_path)

    def full(handle: int, data: bytes, at: int) -> int:
        raise OSError(28, f"no space left for {len(data)} at {at} of {handle}")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(OSError, match="no space"):
        disk.replace("t", b"one", durable=False)
    assert tree(tmp_path) == {}


def test_without_a_record_nothing_is_kept_beside_the_files(tmp_path: Path) -> None:
    disk = RealDisk(tmp_path, record=False)
    file = disk.open_file("log/0")
    file.append(b"abc")
    file.sync()
    disk.replace("t", b"one", durable=True)
    disk.replace("t", b"two", durable=False)
    disk.remove("log/0")
    file.close()
    file.close()
    disk.close()
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["t"]


def test_closing_gives_the_handles_back(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    disk = RealDisk(tmp_path)
    file = disk.open_file("log/0")
    file.sync()
    file.close()
    disk.close()
    disk.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_space_of_the_file_system(tmp_path: Path) -> None:
    disk = RealDisk(tmp_path)
    space = disk.space()
    disk.close()
    assert 0 < space.usable <= space.total
    assert 0 < space.used < space.total
    assert 0 < space.ratio <= 1


def test_a_long_record_is_shortened_while_it_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut_power: Cut
) -> None:
    monkeypatch.setattr("reference_impl.disk.real.RECORD_BYTES_MAX", 500)
    disk = RealDisk(tmp_path)
    disk.replace("config/t", b"durable", durable=True)
    disk.replace("config/t", b"later", durable=False)
    file, longest = disk.open_file("log/0"), 0
    for _ in range(200):
        file.append(b"x")
        file.sync()
        longest = max(longest, (tmp_path / "synced.jsonl").stat().st_size)
    assert 500 < longest < 1000
    assert len(record_lines(tmp_path)) < 20
    file.append(b"lost")
    cut_power(tmp_path)
    assert tree(tmp_path) == {"log/0": b"x" * 200, "config/t": b"durable"}
