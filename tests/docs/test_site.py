"""The site: it is built without a warning, and has a page for every area of guarantees."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from mqcheck.options import SETTINGS
from mqcheck.specs import AREAS, load_specs

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.skipif(find_spec("mkdocs") is None, reason='no mkdocs: pip install "mqcheck[docs]"')
def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(tmp_path / "site")],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    site = tmp_path / "site"
    for guarantee in load_specs():
        page = (site / "guarantees" / f"{guarantee.area}.html").read_text(encoding="utf-8")
        assert f'id="{guarantee.id}"' in page
    # Nothing of it comes from elsewhere.
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert 'src="http' not in text
        assert 'rel="stylesheet" href="http' not in text


def test_made_pages_name_every_option_command_fixture_and_area() -> None:
    sys.path.insert(0, str(ROOT / "docs" / "make"))
    try:
        from pages import pages  # type: ignore[import-not-found]

        made = pages()
    finally:
        sys.path.remove(str(ROOT / "docs" / "make"))
    for setting in SETTINGS:
        assert f"`{setting.option}" in made["reference/options.md"]
    for command in ("run", "check", "matrix", "repro", "baseline", "external clean"):
        assert f"## mqcheck {command}\n" in made["reference/cli.md"]
    assert "## rocketmq_server\n" in made["reference/fixtures.md"]
    assert "`nameserver_address`" in made["reference/fixtures.md"]
    assert "| `next_offset` | BIGINT |" in made["reference/history.md"]
    assert {f"guarantees/{area}.md" for area in AREAS} <= made.keys()
    for text in made.values():
        assert "**Why it matters.** \n" not in text
