"""How reports become rows: which come first, what a cell says and where it leads, and the exit status of all."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from mqcheck import exits
from mqcheck.report import write_reports
from mqcheck.report.json_ import dump, schema
from mqcheck.report.matrix import Column, link, make_matrix, read_report, status, titles
from mqcheck.specs import Specs

AIMS = {"con-idle": ["consumer-fails", "rebalance"]}


@pytest.fixture
def report(run_folder: Path, specs: Specs) -> dict[str, Any]:
    return write_reports(run_folder, specs, run={})


@pytest.fixture
def healthy(report: dict[str, Any]) -> dict[str, Any]:
    """The same run on a target that keeps its promises."""
    other = copy.deepcopy(report)
    for line in other["guarantees"]:
        line["verdict"] = line["verdict"] and "held"
    for verdict in other["verdicts"]:
        verdict["verdict"] = "held"
    return other


def matrix_of(specs: Specs, *columns: Column, folder: Path = Path("out")) -> dict[str, Any]:
    made = make_matrix(columns, specs, AIMS, folder, "2026-11-28T22:00:00+00:00")
    data: dict[str, Any] = json.loads(dump(made))
    jsonschema.validate(data, schema("matrix"))
    return data


def test_differences_come_first_the_decided_before_the_untested(
    report: dict[str, Any], healthy: dict[str, Any], specs: Specs
) -> None:
    matrix = matrix_of(specs, Column("reference", Path("a"), report), Column("house", Path("b"), healthy))
    assert [(row["id"], row["group"]) for row in matrix["rows"]] == [
        ("dur-violated", "different"),
        ("con-should", "different"),
        ("sto-undecided", "different"),
        ("sto-harness", "different"),
        ("ord-client", "different"),
        ("con-inapplicable", "different"),
        ("dur-held", "same"),
        ("con-idle", "same"),
        ("no-power", "same"),
    ]
    assert matrix["summary"] == {"different": 6, "violated": 0, "same": 3}


def test_violations_of_all_come_before_what_all_keep(report: dict[str, Any], specs: Specs) -> None:
    matrix = matrix_of(specs, Column("a", Path("a"), report), Column("b", Path("b"), report))
    groups = [row["group"] for row in matrix["rows"]]
    assert groups == sorted(groups, key=["different", "violated", "same"].index)
    assert {row["id"] for row in matrix["rows"] if row["group"] == "violated"} == {
        *("dur-violated", "con-should", "sto-undecided", "sto-harness", "ord-client")
    }


def test_a_cell_says_why_and_leads_to_the_evidence(report: dict[str, Any], run_folder: Path, specs: Specs) -> None:
    matrix = matrix_of(specs, Column("reference", Path("out/reference"), report))
    cells = {row["id"]: row["cells"][0] for row in matrix["rows"]}
    assert cells["dur-violated"]["reason"] == "in kill: 2 acknowledged are missing"
    assert cells["dur-violated"]["link"] == "reference/report.html#see-dur-violated"
    assert cells["con-inapplicable"]["reason"] == "the target cannot cut power; use reference"
    page = (run_folder / "report.html").read_text(encoding="utf-8")
    for name in cells:
        assert f'id="see-{name}"' in page


def test_what_nobody_exercised_says_who_would(report: dict[str, Any], specs: Specs) -> None:
    for line in report["guarantees"]:
        if line["id"] in ("con-idle", "dur-held"):
            line.update(verdict="not exercised", scenarios=[], reason="")
    report["verdicts"] = [pair for pair in report["verdicts"] if pair["guarantee"] not in ("con-idle", "dur-held")]
    cells = {row["id"]: row["cells"][0] for row in matrix_of(specs, Column("a", Path("a"), report))["rows"]}
    assert cells["con-idle"]["reason"].endswith("run one that does: --select consumer-fails --select rebalance")
    assert cells["dur-held"]["reason"].startswith("no scenario of the kit aims at it")


def test_a_run_without_a_report_is_a_column_of_nothing(report: dict[str, Any], specs: Specs) -> None:
    gone = Column("apache:4.9.7", Path("b"), None, 1.5, -9, "ended with signal SIGKILL: out of memory")
    matrix = matrix_of(specs, Column("reference", Path("a"), report), gone)
    assert {row["cells"][1] for row in matrix["rows"]} == {None}
    assert [row["group"] for row in matrix["rows"]].count("different") == 0
    assert matrix["columns"][1]["trouble"] == "ended with signal SIGKILL: out of memory"
    assert matrix["columns"][1]["report"] is None
    assert matrix["columns"][0]["levels"]["MUST"]["harness_error"] == 1


def test_columns_have_names_of_their_own(report: dict[str, Any]) -> None:
    planted = {**report, "run": {**report["run"], "sabotage": "ack-before-sync"}}
    columns = [Column("reference", Path("a"), each) for each in (report, planted, planted)]
    assert titles(columns) == ["reference", "reference + ack-before-sync (1)", "reference + ack-before-sync (2)"]


def test_exit_status(report: dict[str, Any], healthy: dict[str, Any]) -> None:
    held, broken = Column("a", Path(), healthy), Column("b", Path(), report)
    unsure = copy.deepcopy(healthy)
    unsure["verdicts"][0]["verdict"] = "inconclusive"
    undecided, gone = Column("c", Path(), unsure), Column("d", Path(), None, trouble="gone")
    cut_short = Column("e", Path(), healthy, status=3, trouble="ended with status 3")
    assert status([held]) == exits.HELD
    assert status([held, undecided]) == exits.INCONCLUSIVE
    assert status([undecided, gone]) == exits.HARNESS_ERROR
    assert status([cut_short]) == exits.HARNESS_ERROR
    assert status([gone, broken, undecided]) == exits.VIOLATED
    assert status([Column("f", Path(), healthy, status=exits.VIOLATED)]) == exits.VIOLATED
    assert status([broken, Column("g", Path(), None, status=exits.USAGE, trouble="x")]) == exits.USAGE
    assert status([broken], interrupted=True) == exits.INTERRUPTED


def test_links_are_relative_and_fit_for_a_url(tmp_path: Path) -> None:
    assert link(tmp_path / "a run" / "report.html", tmp_path / "out") == "../a%20run/report.html"


def test_only_reports_are_read(tmp_path: Path) -> None:
    assert read_report(tmp_path) is None
    (tmp_path / "report.json").write_text('{"format": 2}')
    with pytest.raises(ValueError, match="no report of format 1"):
        read_report(tmp_path)


def test_the_schema_bites(report: dict[str, Any], specs: Specs) -> None:
    jsonschema.Draft202012Validator.check_schema(schema("matrix"))
    matrix = matrix_of(specs, Column("a", Path("a"), report))
    for change in (
        lambda data: data.update(format=2),
        lambda data: data["columns"][0].pop("trouble"),
        lambda data: data["columns"][0]["levels"]["MUST"].update(held=-1),
        lambda data: data["rows"][0]["cells"][0].update(verdict="maybe"),
        lambda data: data["rows"][0].update(group="odd"),
    ):
        wrong = copy.deepcopy(matrix)
        change(wrong)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema("matrix"))
