"""Known violations: files are validated to the letter, and an item, a report and an exit status follow them."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from mqcheck import exits
from mqcheck.errors import SpecsError
from mqcheck.known import NOTHING, load_known, own_file, read_file
from mqcheck.report.json_ import schema
from mqcheck.scenarios.base import all_scenarios
from mqcheck.specs import load_specs, own_folder

ENTRY = '[[known]]\nguarantee = "dur-ack-kill"\nwhat = "it loses the last message"\nsee = "apache/rocketmq#2706"\n'
ROOT = Path(__file__).parents[2]


def written(folder: Path, text: str) -> Path:
    path = folder / "known.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_an_entry_says_what_it_is_and_where_more_is_told(tmp_path: Path) -> None:
    path = written(tmp_path, ENTRY + 'scenario = "broker-*"\nsometimes = true\n')
    (entry,) = read_file(path, load_specs())
    assert (entry.scenario, entry.sometimes) == ("broker-*", True)
    assert entry.link == "https://github.com/apache/rocketmq/issues/2706"
    assert entry.told() == "known: it loses the last message (apache/rocketmq#2706)"
    assert f"remove the entry from {path}" in entry.gone()
    known = load_known(str(path), "house", "1", load_specs())
    assert known.of("broker-kill", "dur-ack-kill") == entry
    assert known.of("steady", "dur-ack-kill") is None
    assert known.of("broker-kill", "dur-held") is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("known = 3", "is no list of tables: write \\[\\[known\\]\\]"),
        ("x = 1", "'x' stands outside an entry"),
        ("[[known]", "specs/README.md shows the form"),
        (ENTRY + ENTRY, "entry 2 is about the same pair"),
        (ENTRY + "colour = 1", "field 'colour': unknown; known are guarantee"),
        (ENTRY + "sometimes = 1", r"field 'sometimes': true or false \(got 1\)"),
        (ENTRY + "scenario = ''", "field 'scenario': must be text that is not empty"),
        (ENTRY + "since = 'five'", "field 'since': a version such as \"5.1.0\" \\(got 'five'\\)"),
        (ENTRY.replace("dur-ack-kill", "dur-ack-kil"), "entry 1 .*'guarantee': no promise has this id; `mqcheck list`"),
        (ENTRY.replace("dur-ack-kill", "no-exactly-once"), "no promise has this id"),
        (ENTRY.replace("apache/rocketmq#2706", "somewhere"), "'see': owner/repository#number, a URL, or docs/findings"),
        (ENTRY.replace("it loses the last message", " "), "field 'what': must be text"),
    ],
)
def test_a_wrong_file_is_told_by_place_value_rule_and_way_out(text: str, told: str, tmp_path: Path) -> None:
    path = written(tmp_path, text)
    with pytest.raises(SpecsError, match=told) as error:
        read_file(path, load_specs())
    assert str(path) in str(error.value)


def test_a_missing_file_is_told_with_the_way_out() -> None:
    with pytest.raises(SpecsError, match="--mqcheck-known none does without"):
        load_known("/nowhere.toml", "house", "1", load_specs())


@pytest.mark.parametrize(
    ("bounds", "version", "concerned"),
    [
        ("", "whatever", True),
        ("since = '5.0.0'", "RocketMQ 5.0.0", True),
        ("since = '5.0.0'", "4.9.7", False),
        ("until = '5.10.0'", "5.9.1", True),
        ("until = '5.10.0'", "5.10.0", False),
        ("since = '4.9.3'\nuntil = '5.0.0'", "4.9.7", True),
    ],
)
def test_an_entry_concerns_versions(bounds: str, version: str, concerned: bool, tmp_path: Path) -> None:
    known = load_known(str(written(tmp_path, ENTRY + bounds)), "house", version, load_specs())
    assert bool(known.entries) is concerned


def test_versions_need_a_version(tmp_path: Path) -> None:
    with pytest.raises(SpecsError, match="'nightly', which is no number: leave since and until out"):
        load_known(str(written(tmp_path, ENTRY + "since = '5.0'")), "house", "nightly", load_specs())


def test_the_projects_own_files_are_found_by_the_target_and_are_right() -> None:
    assert load_known("none", "apache:5.4.0", "5.4.0", load_specs()) is NOTHING
    assert load_known(None, "reference", "0.1", load_specs()) is NOTHING
    assert own_file("apache:../../x") is None
    assert own_file("exec:apache-4.9.7") is None
    findings = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.+)$", findings, re.MULTILINE)
    slugs = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    paths = sorted((own_folder() / "known").glob("*.toml"))
    assert [path.name for path in paths] == ["apache-4.9.7.toml", "apache-5.4.0.toml"]
    for path in paths:
        assert own_file(path.stem.replace("-", ":", 1)) == path
        for entry in read_file(path, load_specs()):
            if entry.see.startswith("docs/findings.md#"):
                assert entry.see.partition("#")[2] in slugs, entry
            assert any(fnmatchcase(name, entry.scenario) for name in all_scenarios()), entry


WORLD_ENTRY = '[[known]]\nguarantee = "dur-two"\nscenario = "kill"\nwhat = "it forgets"\nsee = "apache/rocketmq#1"\n'


@pytest.mark.slow
def test_a_known_violation_does_not_fail_and_everybody_says_so(sandbox: Any) -> None:
    sandbox.world(kill={"verdicts": {"dur-two": "violated"}})
    sandbox.write("known.toml", WORLD_ENTRY)
    done = sandbox.pytest("--mqcheck", "--mqcheck-known", "known.toml", "--junitxml", "junit.xml", "-rx")
    assert done.returncode == exits.HELD, done.stdout
    assert "1 xfailed" in done.stdout
    assert "violated mqcheck::kill::dur-two, known: it forgets (apache/rocketmq#1), 1 row(s)" in done.stdout
    assert "violated 1 (1 known)" in done.stdout
    report = sandbox.report()
    jsonschema.validate(report, schema())
    assert (report["summary"]["violated"], report["summary"]["known"], report["known_gone"]) == (1, 1, [])
    (verdict,) = [each for each in report["verdicts"] if "known" in each]
    assert verdict["verdict"] == "violated"
    assert verdict["known"]["link"] == "https://github.com/apache/rocketmq/issues/1"
    page = (sandbox.folder / ".mqcheck" / "latest" / "report.html").read_text()
    assert '<span class="known">known</span> it forgets' in page
    (told,) = ET.parse(sandbox.folder / "junit.xml").findall(".//property[@name='known']")
    assert told.get("value") == "known: it forgets (apache/rocketmq#1)"
    run_anyway = sandbox.pytest("--mqcheck", "--mqcheck-known", "known.toml", "--runxfail")
    assert run_anyway.returncode == exits.VIOLATED
    off = sandbox.pytest("--mqcheck", "--mqcheck-known", "none")
    assert off.returncode == exits.VIOLATED


@pytest.mark.slow
def test_one_that_no_longer_shows_fails_unless_it_shows_only_sometimes(sandbox: Any) -> None:
    sandbox.write("known.toml", WORLD_ENTRY)
    done = sandbox.pytest("--mqcheck", "--mqcheck-known", "known.toml", "-n", "2")
    assert done.returncode == exits.VIOLATED, done.stdout
    assert "known violation no longer shows: remove the entry from" in done.stdout
    assert "1 failed" in done.stdout
    (gone,) = sandbox.report()["known_gone"]
    assert (gone["guarantee"], gone["scenario"]) == ("dur-two", "kill")
    sandbox.write("known.toml", WORLD_ENTRY + "sometimes = true\n")
    done = sandbox.pytest("--mqcheck", "--mqcheck-known", "known.toml")
    assert (done.returncode, sandbox.report()["known_gone"]) == (exits.HELD, [])


@pytest.mark.slow
def test_what_nobody_aimed_at_is_known_too_and_news_beside_it_fails(sandbox: Any) -> None:
    sandbox.world(steady={"verdicts": {"dur-two": "violated"}})
    sandbox.write("known.toml", WORLD_ENTRY.replace('"kill"', '"steady"'))
    done = sandbox.pytest("--mqcheck", "--mqcheck-known", "known.toml")
    assert done.returncode == exits.HELD, done.stdout
    assert "1 xfailed" in done.stdout
    sandbox.world(steady={"verdicts": {"dur-two": "violated"}}, cut={"verdicts": {"dur-two": "violated"}})
    done = sandbox.pytest("--mqcheck", "--mqcheck-known", "known.toml")
    assert done.returncode == exits.VIOLATED
    assert "violated 1," in done.stdout
    assert json.loads((sandbox.folder / ".mqcheck/latest/report.json").read_text())["summary"]["known"] == 0


@pytest.mark.slow
def test_an_unusable_file_is_a_usage_error(sandbox: Any) -> None:
    sandbox.write("known.toml", WORLD_ENTRY.replace("dur-two", "dur-nine"))
    done = sandbox.pytest("--mqcheck", "--mqcheck-known", "known.toml")
    assert done.returncode == exits.USAGE
    assert "no promise has this id" in done.stderr
