"""Every example in a hook's docstring is cut out and run, as a conftest of somebody else's project."""

from __future__ import annotations

import inspect
import textwrap
from typing import Any

import pytest

from mqcheck import exits, hooks

SPECS = {name: hook for name, hook in vars(hooks).items() if name.startswith("pytest_mqcheck_")}


def example(name: str) -> str:
    """The code block at the end of a hook's docstring."""
    text = inspect.getdoc(SPECS[name]) or ""
    return textwrap.dedent(text.split("::\n\n", 1)[1])


@pytest.mark.parametrize("name", SPECS)
def test_a_hook_says_who_calls_it_when_with_what_and_shows_an_example(name: str) -> None:
    text = inspect.getdoc(SPECS[name]) or ""
    for part in ("Called by", "Result:", "Conftest: yes", "# conftest.py", f"def {name}("):
        assert part in text
    for argument in inspect.signature(SPECS[name]).parameters:
        assert f"``{argument}``" in text


def with_example(sandbox: Any, name: str) -> None:
    both = (sandbox.folder / "conftest.py").read_text() + "\n" + example(name)
    sandbox.write("conftest.py", both)


def test_a_target_of_ones_own(sandbox: Any) -> None:
    with_example(sandbox, "pytest_mqcheck_targets")
    done = sandbox.pytest("--mqcheck", "--mqcheck-target", "house", "-k", "cut")
    assert done.returncode == 0, done.stdout + done.stderr
    assert sandbox.report()["run"]["target"] == "house"
    wrong = sandbox.pytest("--mqcheck", "--mqcheck-target", "hose")
    assert "there are house, reference" in wrong.stderr


def test_a_target_may_not_take_a_name_of_ours(sandbox: Any) -> None:
    with_example(sandbox, "pytest_mqcheck_targets")
    sandbox.write("conftest.py", (sandbox.folder / "conftest.py").read_text().replace('{"house"', '{"reference"'))
    done = sandbox.pytest("--mqcheck")
    assert done.returncode == exits.USAGE
    assert "has the name of one of mqcheck's own" in done.stderr


def test_a_fault_of_ones_own(sandbox: Any) -> None:
    with_example(sandbox, "pytest_mqcheck_faults")
    done = sandbox.pytest("--mqcheck", "--collect-only")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "faults of plugins: clock-step" in done.stdout
    text = (sandbox.folder / "conftest.py").read_text()
    sandbox.write("conftest.py", text.replace('kind = "clock-step"', 'kind = "kill"'))
    taken = sandbox.pytest("--mqcheck", "--collect-only")
    assert taken.returncode == exits.USAGE, taken.stdout + taken.stderr
    assert "'kill'" in taken.stderr


def test_a_section_of_ones_own(sandbox: Any) -> None:
    with_example(sandbox, "pytest_mqcheck_report_sections")
    done = sandbox.pytest("--mqcheck", "-k", "cut")
    assert done.returncode == 0, done.stdout + done.stderr
    page = (sandbox.folder / ".mqcheck" / "latest" / "report.html").read_text()
    assert "<h2>House</h2>" in page
    assert "<p>Build 4711</p>" in page
    assert "<td>cut</td>" in page
