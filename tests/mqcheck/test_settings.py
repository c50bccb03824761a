"""Settings: which one wins, what is refused, and that every message shows value, rule and way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from mqcheck.errors import SettingsError
from mqcheck.options import SETTINGS
from mqcheck.settings import joined, resolve, settle, table_of

FILE = [("the file", {"seed": 3, "strict": True, "select": ["a", "b"], "report": "from-file"})]


def test_first_match_wins() -> None:
    found = resolve({"seed": 1, "strict": False, "select": []}, {"MQCHECK_SEED": "2", "MQCHECK_SELECT": "x y"}, FILE)
    assert (found["seed"].value, found["seed"].source) == (1, "command line")
    assert (found["select"].value, found["select"].source) == (("x", "y"), "environment MQCHECK_SELECT")
    assert (found["strict"].value, found["strict"].source) == (True, "the file")
    assert (found["profile"].value, found["profile"].source) == ("quick", "default")
    assert set(found) == {setting.name for setting in SETTINGS}


def test_nought_on_the_command_line_is_a_value() -> None:
    found = resolve({"seed": 0, "retries": 0}, {"MQCHECK_SEED": "2"}, FILE)
    assert (found["seed"].value, found["retries"].value) == (0, 0)


@pytest.mark.parametrize(
    ("given", "retries"), [({}, 1), ({"retries": 3}, 3), ({"sabotage": "x"}, 0), ({"sabotage": "x", "retries": 2}, 2)]
)
def test_a_planted_bug_needs_no_second_look(given: dict[str, object], retries: int) -> None:
    assert settle(resolve(given, {}, []), Path(), Path()).retries == retries


def test_folders_belong_to_where_they_were_written() -> None:
    base, here = Path("/project"), Path("/project/sub")
    assert settle(resolve({}, {}, FILE), base, here).report == base / "from-file"
    assert settle(resolve({"report": "out"}, {}, FILE), base, here).report == here / "out"
    assert settle(resolve({}, {"MQCHECK_SPECS": "mine"}, []), base, here).specs == (here / "mine",)


@pytest.mark.parametrize(
    ("command_line", "environment", "table", "told"),
    [
        ({"profile": "fast"}, {}, {}, "'fast' is none of quick, full"),
        ({"disk": "tape"}, {}, {}, "disk 'tape' is none of own, fuse; say --mqcheck-disk own"),
        (
            {"disk_model": "xfs"},
            {},
            {},
            "none of ext4-like, strict-size, strict-posix; say --mqcheck-disk-model ext4-like",
        ),
        ({"seed": -1}, {}, {}, "seed = -1 is outside 0…"),
        ({}, {"MQCHECK_SEED": "x"}, {}, r"seed = 'x' \(environment MQCHECK_SEED\) is no whole number"),
        ({}, {"MQCHECK_STRICT": "maybe"}, {}, "neither true nor false"),
        ({"retries": -1}, {}, {}, "retries = -1 is outside 0…20"),
        ({}, {"MQCHECK_CONCURRENCY": "0"}, {}, "concurrency = 0 is outside 1…64"),
        ({}, {}, {"targt": "x"}, "did you mean 'target'"),
        ({"sabotage": "a", "odd": "b"}, {}, {}, "choose one"),
    ],
)
def test_what_does_not_fit_is_refused(
    command_line: dict[str, object], environment: dict[str, str], table: dict[str, object], told: str
) -> None:
    with pytest.raises(SettingsError, match=told):
        settle(resolve(command_line, environment, [("pyproject.toml", table)]), Path(), Path())


@pytest.mark.parametrize(("word", "value"), [("1", True), ("yes", True), ("off", False), ("false", False)])
def test_flags_are_words_in_the_environment(word: str, value: bool) -> None:
    assert resolve({}, {"MQCHECK_STRICT": word}, [])["strict"].value is value


def test_the_table_is_read_from_pyproject(tmp_path: Path) -> None:
    assert table_of(tmp_path) == {}
    path = tmp_path / "pyproject.toml"
    path.write_text("[tool.mqcheck]\nseed = 4\n")
    assert table_of(tmp_path) == {"seed": 4}
    path.write_text("[tool]\nmqcheck = 4\n")
    with pytest.raises(SettingsError, match="not a table"):
        table_of(tmp_path)
    path.write_text("[tool\n")
    with pytest.raises(SettingsError, match="mend the file"):
        table_of(tmp_path)


def test_values_are_joined_to_their_options() -> None:
    given = ["--mqcheck", "--mqcheck-report", "out", "-n", "2", "--mqcheck-strict", "tests", "--mqcheck-seed=3"]
    wanted = ("--mqcheck", "--mqcheck-report=out", "-n", "2", "--mqcheck-strict", "tests", "--mqcheck-seed=3")
    assert joined(given) == wanted
    assert joined(wanted) == wanted
    assert joined(["--mqcheck-report"]) == ("--mqcheck-report",)


def test_a_description_belongs_to_where_it_was_named() -> None:
    asked = settle(resolve({"target": "exec:broker.toml"}, {}, []), Path("/base"), Path("/here"))
    assert asked.target == "exec:/here/broker.toml"
    written = settle(resolve({}, {}, [("the file", {"target": "exec:broker.toml"})]), Path("/base"), Path("/here"))
    assert written.target == "exec:/base/broker.toml"
    assert settle(resolve({"target": "exec:"}, {}, []), Path("/base"), Path("/here")).target == "exec:"
