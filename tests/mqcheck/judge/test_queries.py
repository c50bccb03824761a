"""Ready queries: what is kept is what would be made, and is made anew where anything it follows from is different."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from mqcheck.errors import SpecsError
from mqcheck.judge import queries
from mqcheck.judge.queries import FILES_MAX, Asked, cache_folder, exercised, make_ready, ready, violations, warm_up
from mqcheck.specs import Guarantee, Specs


@pytest.fixture(autouse=True)
def another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is ready yet."""
    monkeypatch.setattr(queries, "_READY", {})


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*"))


def forget() -> None:
    queries._READY.clear()


def test_what_is_kept_is_what_would_be_made(specs: Specs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    warm_up(specs, tmp_path)
    (kept,) = files(tmp_path)
    forget()
    monkeypatch.setattr(queries, "make_ready", None)
    warm_up(specs, tmp_path)
    read = dict(queries._READY)
    assert {asked for guarantee in specs for asked in (exercised(guarantee), violations(guarantee))} <= set(read)
    monkeypatch.undo()
    assert all(make_ready(asked) == query for asked, query in read.items())
    assert files(tmp_path) == [kept]


def one(specs: Specs, **changes: object) -> list[Guarantee]:
    return [dataclasses.replace(specs.get("prt-opaque"), **changes)]  # type: ignore[arg-type]


def test_another_text_or_tolerance_is_another_file(specs: Specs, tmp_path: Path) -> None:
    warm_up(one(specs), tmp_path)
    warm_up(one(specs, tolerance_ms=7), tmp_path)
    warm_up(one(specs, violations="SELECT r.op FROM replies r WHERE r.answers > 2"), tmp_path)
    assert len(files(tmp_path)) == 3


@pytest.mark.parametrize("part", ["code", "parser"])
def test_other_code_is_another_file(specs: Specs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    warm_up(one(specs), tmp_path)
    if part == "code":
        monkeypatch.setattr(queries, "CODE", queries.CODE[1:])
    else:
        monkeypatch.setattr(queries, "version", lambda name: "0")
    warm_up(one(specs), tmp_path)
    assert len(files(tmp_path)) == 2


def test_the_code_that_decides_is_named() -> None:
    kit = Path(queries.__file__).parents[1]
    read = (kit / name for name in queries.CODE)
    assert all(path.is_file() for path in read)


@pytest.mark.parametrize("damage", [b"", b"no digest", b"\xff"])
def test_a_damaged_file_is_made_anew(specs: Specs, tmp_path: Path, damage: bytes) -> None:
    warm_up(one(specs), tmp_path)
    (kept,) = files(tmp_path)
    good = kept.read_bytes()
    for bad in (damage, good.replace(b"SELECT", b"SELECT 7,", 1), good[:-1]):
        kept.write_bytes(bad)
        forget()
        warm_up(one(specs), tmp_path)
        assert kept.read_bytes() == good
        assert ready(violations(one(specs)[0])) == make_ready(violations(one(specs)[0]))


def test_a_query_that_cannot_be_read_is_not_kept(specs: Specs, tmp_path: Path) -> None:
    broken = one(specs, violations="SELECT (")
    warm_up(broken, tmp_path)
    assert files(tmp_path) == []
    with pytest.raises(SpecsError, match="not a query"):
        ready(violations(broken[0]))


def test_only_the_youngest_files_stay(specs: Specs, tmp_path: Path) -> None:
    for age in range(FILES_MAX + 2):
        before = set(files(tmp_path))
        warm_up(one(specs, tolerance_ms=age), tmp_path)
        for new in set(files(tmp_path)) - before:
            os.utime(new, (age, age))
    assert len(files(tmp_path)) == FILES_MAX
    forget()
    warm_up(one(specs, tolerance_ms=FILES_MAX + 1), tmp_path)
    assert len(files(tmp_path)) == FILES_MAX


def test_a_folder_that_cannot_be_made_is_no_error(specs: Specs, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    warm_up(one(specs), tmp_path / "file" / "folder")
    assert ready(violations(one(specs)[0])).text


def test_a_query_is_made_ready_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked("SELECT r.op FROM replies r", 0)
    first = ready(asked)
    monkeypatch.setattr(queries, "make_ready", None)
    assert ready(asked) is first


def test_ready_queries_are_kept_in_the_cache(tmp_path: Path) -> None:
    assert cache_folder({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "mqcheck" / "judge"
    assert cache_folder({}) == Path.home() / ".cache" / "mqcheck" / "judge"
