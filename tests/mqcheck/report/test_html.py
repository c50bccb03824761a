"""report.html: everything that was found out, nothing that the browser could run, nothing from the network."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from mqcheck.report import write_reports
from mqcheck.report.html import TEXT_CHARACTERS_MAX, plain, tiles
from mqcheck.report.sections import Section
from mqcheck.specs import Specs

VOID = {"meta", "br", "hr", "img", "link", "input"}
TIMELINE = {
    "format": 1,
    "start_ns": 1,
    "length_ms": 900.0,
    "messages": {"12": {"head": {"keys": "</script><script>alert(1)</script>"}, "events": []}},
    "evidence": [12],
}


class Outline(HTMLParser):
    """Ids, links, texts; complains about tags that do not match."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        values = dict(attrs)
        self.ids.add(values.get("id") or "")
        for name in ("href", "src"):
            if values.get(name):
                self.links.append(str(values[name]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def page(run_folder: Path, specs: Specs) -> str:
    sections = [Section("House <b>", "One\n\nTwo", rows=[{"build": 4711}])]
    (run_folder / "history" / "kill" / "timeline.json").write_text(json.dumps(TIMELINE), encoding="utf-8")
    write_reports(run_folder, specs, run={}, sections=sections)
    return (run_folder / "report.html").read_text(encoding="utf-8")


@pytest.fixture
def outline(page: str) -> Outline:
    outline = Outline()
    outline.feed(page)
    assert not outline.open
    return outline


def test_everything_found_out_is_there(outline: Outline, specs: Specs) -> None:
    for guarantee in specs:
        assert guarantee.id in outline.ids
        for text in (guarantee.title, guarantee.statement, guarantee.exercised, guarantee.violations or guarantee.seen):
            assert text in outline.text
    for text in (
        "MUST: held 2, violated 1",
        "2 acknowledged are missing",
        "40 row(s), the first 2",
        "sends 12 acked at queue 3 offset 17",
        "pytest --mqcheck --mqcheck-seed 7",
        "the target cannot cut power",
        "power-cut",
        "dropped_bytes 512",
        "900 ms",
        "not healed",
        "longest stall 42 ms",
        "seen",
        "House <b>",
        "4711",
    ):
        assert text in outline.text


def test_links_inside_lead_somewhere_and_nothing_is_loaded(outline: Outline, page: str) -> None:
    for link in outline.links:
        if link.startswith("#"):
            assert link[1:].partition("/")[0] in outline.ids
        else:
            assert link in ("https://github.com/apache/rocketmq/issues/2706", "https://rocketmq.apache.org")
    assert not outline.tags & {"img", "link", "iframe"}
    assert not re.search(r"url\((?![`#$]*#)|@import|<script[^>]+src", page)


def test_the_one_script_is_the_one_that_the_policy_allows(page: str, outline: Outline) -> None:
    (policy,) = re.findall(r"script-src '(sha256-[^']+)'", page)
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert policy == f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"
    assert "default-src 'none'" in page


def test_evidence_leads_to_the_life_of_its_message(outline: Outline, page: str) -> None:
    number = re.search(r'id="scenario-(\d)" data-number="\d">\s*<summary><code>kill<', page)
    assert number is not None
    assert f"#scenario-{number[1]}/message-12" in outline.links
    data = re.search(rf'id="timeline-{number[1]}">(.*?)</script>', page, re.DOTALL)
    assert data is not None
    assert json.loads(data[1]) == TIMELINE


def test_scenarios_without_a_timeline_have_none(page: str) -> None:
    assert page.count('id="timeline-') == 1


def test_hostile_text_is_text(outline: Outline, page: str) -> None:
    assert "<script>alert" in outline.text
    assert page.count("<script>") == 1
    assert page.count("</script>") == 3
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]", page)


def test_every_verdict_has_a_sign_beside_its_colour(page: str) -> None:
    for sign in "✓✗?·–○":
        assert sign in page
    assert "color-scheme: light dark" in page
    assert 'name="viewport"' in page


def test_a_tile_counts_what_a_click_on_it_shows(run_folder: Path, specs: Specs, page: str) -> None:
    report = write_reports(run_folder, specs, run={})
    found = {tile["text"]: tile for tile in tiles(report)}
    for text, tile in found.items():
        if tile["verdict"] != "inconclusive":  # shared with harness errors
            shown = re.findall(rf'<details class="card guarantee"[^>]*data-verdict="{tile["verdict"]}"', page)
            assert tile["count"] == len(shown), text
    assert found["inconclusive"]["count"] == found["harness error"]["count"] == 1
    assert (found["violated"]["count"], found["violated"]["client"], found["held"]["client"]) == (3, 1, 0)
    assert page.count("1 of them the client's own") == 1


def test_cells_are_those_of_the_scenarios_and_say_what_was_aimed_at(page: str) -> None:
    (row,) = re.findall(r'<tr data-guarantee="dur-held".*?</tr>', page, re.DOTALL)
    assert re.findall(r'<td class="cell ?([^"]*)">([^<]*)<', row) == [("held aimed", "✓"), ("held aimed", "✓")]
    (row,) = re.findall(r'<tr data-guarantee="con-idle".*?</tr>', page, re.DOTALL)
    assert re.findall(r'<td class="cell ?([^"]*)">([^<]*)<', row) == [("", ""), ("held aimed", "✓")]


def test_filters_have_what_they_look_at(page: str) -> None:
    assert (
        page.count('data-guarantee="ord-client" data-verdict="violated" data-level="MUST" data-subject="client"') == 2
    )
    for choice in ("<option>storage</option>", "<option>SHOULD</option>", "<option>client</option>"):
        assert choice in page


def test_a_run_of_nothing_is_a_page_too(specs: Specs, tmp_path: Path) -> None:
    write_reports(tmp_path, specs, run={"target": "reference", "target_version": "", "seed": 1})
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "No scenario was run." in page
    assert "Nothing is violated" in page


def test_long_values_are_cut_and_say_so() -> None:
    assert plain("x" * TEXT_CHARACTERS_MAX) == "x" * TEXT_CHARACTERS_MAX
    assert plain("x" * (TEXT_CHARACTERS_MAX + 1)).endswith(f"… ({TEXT_CHARACTERS_MAX + 1} characters)")
    assert plain({"a": "ü"}) == '{"a": "ü"}'
