"""report.json keeps to its schema, and the schema is strict."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from mqcheck.report import write_reports
from mqcheck.report.json_ import dump, schema
from mqcheck.specs import Specs


@pytest.fixture
def report(run_folder: Path, specs: Specs) -> Any:
    write_reports(run_folder, specs, run={"id": "r9"})
    return json.loads((run_folder / "report.json").read_text(encoding="utf-8"))


def test_report_keeps_to_the_schema(report: Any) -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.validate(report, schema())
    assert report["run"]["id"] == "r9"


def test_the_schema_bites(report: Any) -> None:
    for change in (
        lambda data: data.pop("summary"),
        lambda data: data.update(extra=1),
        lambda data: data["verdicts"][0].update(verdict="maybe"),
        lambda data: data["scenarios"][0]["faults"][0].pop("effect"),
        lambda data: data.update(format=2),
    ):
        wrong = copy.deepcopy(report)
        change(wrong)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema())


def test_text_is_readable_and_ends_with_a_line() -> None:
    assert dump({"name": "ü"}) == '{\n "name": "ü"\n}\n'
    assert json.loads(dump({"name": "\udcff"}).encode("utf-8")) == {"name": "\udcff"}
