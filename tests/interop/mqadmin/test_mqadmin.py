"""Official mqadmin works against the reference as against a real broker, or it is said why not."""

from __future__ import annotations

from pathlib import Path

import pytest
from clients import WHOLE, WHOLE_REASON
from java_broker import ROOT, missing
from mqadmin.commands import CASES, FIRST
from mqadmin.compare import Row, complaints, judge, run_all, table
from mqadmin.driver import Said, admin

pytestmark = [
    pytest.mark.interop,
    pytest.mark.slow,
    pytest.mark.skipif(not WHOLE, reason=WHOLE_REASON),
    pytest.mark.skipif(missing("java", "javac", "mvn") is not None, reason=str(missing("java", "javac", "mvn"))),
]


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> list[Said]:
    return run_all("real", tmp_path_factory.mktemp("real"))


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> list[Said]:
    return run_all("reference", tmp_path_factory.mktemp("reference"))


@pytest.fixture(scope="module")
def rows(real: list[Said], reference: list[Said]) -> list[Row]:
    return judge(real, reference)


def test_every_sub_command_is_run(tmp_path: Path) -> None:
    with admin(tmp_path / "admin") as driver:
        names = set(driver.run(["@commands"]).text.split())
    assert names == {case.name for case in (*FIRST, *CASES)}


def test_what_works_on_the_real_one_works_here_or_is_explained(rows: list[Row]) -> None:
    found = complaints(rows)
    assert not found, "\n".join(found)


def test_the_page_is_true(rows: list[Row]) -> None:
    page = ROOT / "docs" / "mqadmin.md"
    assert page.read_text(encoding="utf-8") == table(rows), "run python tests/interop/mqadmin/page.py"
