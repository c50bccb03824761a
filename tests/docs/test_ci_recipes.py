"""The recipes of docs/how-to/ci/ (ci.md) are valid, name only options that exist, and publish only what they write."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from string import Template
from xml.etree import ElementTree

import pytest
from ci_recipes import FOLDER, GITHUB, GITHUB_NIGHTLY, GITLAB, SCHEMAS, Job, jobs
from doc_blocks import ROOT, Shell, blocks, commands, misparsed

from mqcheck.baseline import make
from mqcheck.specs import load_specs

ALL = [(recipe, job) for recipe in SCHEMAS for job in jobs(recipe).values()]
FORGE = {
    "CI_API_V4_URL": "https://forge.example/api/v4",
    "CI_MERGE_REQUEST_IID": "7",
    "CI_PIPELINE_IID": "41",
    "CI_PROJECT_ID": "3",
    "GITHUB_RUN_NUMBER": "41",
    "GITHUB_STEP_SUMMARY": "step-summary.md",
    "NOTES_TOKEN": "secret",
}
"""What the forge sets."""
ELSEWHERE = ("gh", "curl", "make", "apt-get")
"""Programs that need a network or the reader's own project: each only writes down its words."""
RECORDS = '#!/bin/sh\nprintf "%s\\037" "${0##*/}" "$@" >> calls; echo >> calls\n'


def names(pair: tuple[Path, Job]) -> str:
    return f"{pair[0].stem}: {pair[1].name}"


@pytest.mark.slow
@pytest.mark.skipif(find_spec("check_jsonschema") is None, reason="needs check-jsonschema: the extra `test` has it")
@pytest.mark.parametrize("recipe", SCHEMAS, ids=lambda recipe: recipe.name)
def test_a_recipe_is_what_the_forge_takes(recipe: Path) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{SCHEMAS[recipe]}", str(recipe)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_recipe_is_forgotten() -> None:
    assert set(FOLDER.iterdir()) == set(SCHEMAS)
    page = FOLDER.with_suffix(".md").read_text(encoding="utf-8")
    assert all(f"(ci/{recipe.name})" in page for recipe in SCHEMAS)
    (line,) = [line for line in jobs(GITHUB)["promises"].lines if line.startswith("pytest")]
    assert f"\n{line}\n" in page


@pytest.mark.parametrize("pair", ALL, ids=names)
def test_every_option_exists(pair: tuple[Path, Job]) -> None:
    _, job = pair
    ours = [
        words
        for line in job.lines
        for words in commands(Template(line).safe_substitute(FORGE | job.environment))
        if words[0] in ("pytest", "mqcheck")
    ]
    assert ours
    assert [told for words in ours if (told := misparsed(words))] == []


class Forge:
    """Runs jobs in a folder, as a forge does: every line by a shell of its own, the last ones in any case."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder, self.shell = folder, Shell(folder)
        self.tools = folder.parent / "tools"
        for name in (*ELSEWHERE, "pip"):
            self._tool(name, RECORDS)
        self._tool("python", '#!/bin/sh\n[ "$1 $2" = "-m pip" ] || exit 2\nshift 2; exec pip "$@"\n')
        description = next(each for each in blocks(ROOT / "docs" / "targets.md") if each.language == "toml")
        (folder / "my-broker.toml").write_text(description.text, encoding="utf-8")
        run = {"format": 1, "run": {"id": "1", "target": "mine", "target_version": "1"}, "verdicts": []}
        (folder.parent / "report.json").write_text(json.dumps(run), encoding="utf-8")
        make(folder.parent, folder / "my-broker.known.toml", load_specs())

    def _tool(self, name: str, text: str) -> None:
        (self.tools / name).write_text(text, encoding="utf-8")
        (self.tools / name).chmod(0o755)

    def run(self, job: Job, **more: str) -> dict[str, list[str]]:
        """Statuses of its own lines are 0, those of ours 0 or 6; the words of each program that is elsewhere."""
        calls = self.folder / "calls"
        calls.write_text("", encoding="utf-8")
        self.shell.environment |= {**FORGE, **job.environment, **more}
        for line in (*job.lines, *job.last):
            done = self.shell.run(line)
            allowed = (0, 6) if line.startswith(("pytest", "mqcheck")) else (0,)
            assert done.returncode in allowed, f"{line}: status {done.returncode}\n{done.stdout}"
        told = [line.split("\x1f")[:-1] for line in calls.read_text(encoding="utf-8").splitlines()]
        return {words[0]: words[1:] for words in told}

    def missing(self, job: Job) -> list[str]:
        """What a job publishes and its lines did not write."""
        return [path for path in job.published if not list(self.folder.glob(path.removesuffix("/")))]


@pytest.mark.slow
@pytest.mark.e2e
def test_jobs_publish_what_their_lines_write(tmp_path: Path) -> None:
    """In one test: the run of the one forge's job is what the other one's publishes, and two of the nightly targets."""
    forge = Forge(tmp_path / "folder")
    github, gitlab = jobs(GITHUB)["promises"], jobs(GITLAB)["promises"]
    calls = forge.run(github, MQCHECK_SELECT="steady", MQCHECK_SEED="7")
    assert forge.missing(github) == []
    assert calls["pip"] == ["install", "--quiet", "mqcheck[kit]"]
    assert {"make", "gh"} <= calls.keys()
    summary = (forge.folder / calls["gh"][calls["gh"].index("--body-file") + 1]).read_text(encoding="utf-8")
    assert summary.startswith("### ")
    assert (forge.folder / "step-summary.md").read_text(encoding="utf-8") == summary
    cases = ElementTree.parse(forge.folder / "report" / "junit.xml").findall(".//testcase")
    assert any(case.get("name") == "sto-offset-dense" for case in cases), [case.attrib for case in cases]
    report = json.loads((forge.folder / "report" / "report.json").read_text(encoding="utf-8"))
    assert report["run"]["target"].endswith("/my-broker.toml")
    assert report["summary"]["held"] > 0

    run = [line for line in github.lines if line.startswith("pytest")]
    assert run == [line for line in gitlab.lines if line.startswith("pytest")]
    forge._tool("pytest", RECORDS)  # what it would do has been done
    calls = forge.run(gitlab)
    assert forge.missing(gitlab) == []
    name, _, file = calls["curl"][calls["curl"].index("--data-urlencode") + 1].partition("@")
    assert (name, (forge.folder / file).read_text(encoding="utf-8")) == ("body", summary)
    assert calls["curl"][-1] == "https://forge.example/api/v4/projects/3/merge_requests/7/notes"
    assert "curl" not in forge.run(gitlab, NOTES_TOKEN="")

    for recipe, nightly in ((GITHUB_NIGHTLY, "target"), (GITLAB, "nightly")):
        for each in ("mine", "apache-5"):
            job = jobs(recipe)[f"{nightly} {each}"]
            shutil.copytree(forge.folder / "report", forge.folder / "reports" / each)
            words = forge.run(job)["pytest"]
            assert words[words.index("--mqcheck-report") + 1] == f"reports/{each}"
            assert words[words.index("--junitxml") + 1] == f"reports/{each}/junit.xml"
            assert forge.missing(job) == []
        page = jobs(recipe)["side-by-side"]
        forge.run(page)
        assert forge.missing(page) == []
        assert "sto-offset-dense" in (forge.folder / "side-by-side" / "matrix.html").read_text(encoding="utf-8")
        shutil.rmtree(forge.folder / "reports")
        shutil.rmtree(forge.folder / "side-by-side")


@pytest.mark.slow
@pytest.mark.e2e
@pytest.mark.skipif(os.environ.get("MQCHECK_RECIPES") != "all", reason="with RocketMQ's real times: tox -e docs")
@pytest.mark.parametrize(("recipe", "name"), [(GITHUB_NIGHTLY, "target mine"), (GITLAB, "nightly mine")])
def test_the_nightly_job_of_ones_own_broker(recipe: Path, name: str, tmp_path: Path) -> None:
    forge, job = Forge(tmp_path / "folder"), jobs(recipe)[name]
    forge.run(job, MQCHECK_SELECT="steady")
    assert forge.missing(job) == []
    run = json.loads((forge.folder / "reports" / "mine" / "report.json").read_text(encoding="utf-8"))["run"]
    assert (run["profile"], run["seed"]) == ("full", 41)
