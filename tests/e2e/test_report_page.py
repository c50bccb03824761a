"""report.html in a real browser: from a violation to the life of a message that was lost, by clicks and by keys.

The run is real: the reference with a planted bug loses acknowledged messages at a power cut.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page
else:
    Page = Any

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """report.html of a run in which dur-ack-power-sf is violated."""
    folder = tmp_path_factory.mktemp("run") / "out"
    words = [
        "--mqcheck",
        "--mqcheck-select",
        "power-cut",
        "--mqcheck-sabotage",
        "ack-before-sync",
        "--mqcheck-seed",
        "7",
    ]
    more = [f"--mqcheck-report={folder}", "--mqcheck-retries", "0", "-p", "no:cacheprovider", "-q"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    plugin = ["-p", "mqcheck.plugin"] if not _installed() else []
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *plugin, *words, *more],
        cwd=folder.parent,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert "dur-ack-power-sf" in done.stdout, done.stdout + done.stderr
    return folder / "report.html"


def _installed() -> bool:
    from importlib.metadata import entry_points

    return any(point.value == "mqcheck.plugin" for point in entry_points(group="pytest11"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium of this system."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is missing: pip install mqcheck[browser]"
    )
    if CHROMIUM is None:
        pytest.skip("no chromium on the PATH: apt-get install chromium")
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def opened(browser: Any, page_file: Path) -> Iterator[Page]:
    """The page, open; what it complains about or asks of the network fails the test."""
    page = browser.new_page(viewport={"width": 1300, "height": 900})
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: complaints.append(request.url) if not request.url.startswith("file:") else None)
    page.goto(page_file.as_uri())
    yield page
    page.close()
    assert not complaints


def test_evidence_leads_to_the_life_of_the_lost_message(opened: Page) -> None:
    opened.click(".guarantee[data-verdict=violated] a.to-life >> nth=0")
    life = opened.locator(".life")
    life.wait_for()
    assert "in evidence" in life.inner_text()
    steps = life.locator(".steps li").all_inner_texts()
    assert any("acknowledged" in step and "✓" in step for step in steps)
    assert any("read back" in step and "✗" in step and "not there" in step for step in steps)
    assert "/message-" in opened.url
    card = opened.locator("details.scenario[open]")
    assert card.count() == 1
    assert card.locator("canvas").count() >= 2
    assert "power-cut" in card.locator("svg.lanes").inner_html()
    assert card.locator("svg.lanes circle.stop").count() >= 3


def test_an_address_opens_the_same_life_again(opened: Page, page_file: Path) -> None:
    opened.click(".attention a:has-text('timeline') >> nth=0")
    opened.locator(".life h4").wait_for()
    told, address = opened.locator(".life h4").inner_text(), opened.url
    opened.goto("about:blank")
    opened.goto(address)
    opened.locator(".life h4").wait_for()
    assert opened.locator(".life h4").inner_text() == told
    assert opened.url.startswith(page_file.as_uri())


def test_keys_alone_choose_the_next_message_and_close_it(opened: Page) -> None:
    opened.locator("details.scenario > summary").first.focus()
    opened.keyboard.press("Enter")
    opened.locator("button[aria-label='Next message']").focus()
    opened.keyboard.press("Enter")
    first = opened.locator(".life h4").inner_text()
    opened.locator("button[aria-label='Next message']").focus()
    opened.keyboard.press("Enter")
    assert opened.locator(".life h4").inner_text() != first
    opened.keyboard.press("Escape")
    assert opened.locator(".life h4").count() == 0


def test_a_drag_zooms_every_chart_and_the_button_shows_the_whole_again(opened: Page) -> None:
    opened.locator("details.scenario > summary").first.click()
    over = opened.locator(".throughput .u-over")
    over.scroll_into_view_if_needed()
    box = over.bounding_box()
    assert box is not None
    whole = opened.locator("button.whole")
    assert not whole.is_visible()
    opened.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + 40)
    opened.mouse.down()
    opened.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 40, steps=4)
    opened.mouse.up()
    assert whole.is_visible()
    whole.click()
    assert not whole.is_visible()


def test_filters_leave_what_was_asked_for(opened: Page) -> None:
    opened.keyboard.press("/")
    opened.keyboard.type("ack-power")
    rows = opened.locator("tr[data-guarantee]:visible")
    assert set(rows.evaluate_all("rows => rows.map(row => row.dataset.guarantee)")) == {"dur-ack-power-sf"}
    assert opened.locator("#shown").inner_text().startswith("1 of ")
    opened.fill("input[type=search]", "no such guarantee")
    assert opened.locator(".nothing-left >> nth=0").is_visible()
    opened.locator(".clear-filters:visible >> nth=0").click()
    opened.wait_for_function("document.querySelector('#shown').textContent.startsWith('all ')")


def test_the_switch_changes_the_colours(opened: Page) -> None:
    background = "getComputedStyle(document.body).backgroundColor"
    opened.emulate_media(color_scheme="light")
    opened.locator("details.scenario > summary").first.click()
    legend = "getComputedStyle(document.querySelectorAll('.u-series .u-marker')[1]).borderTopColor"
    before = opened.evaluate(legend)
    light = opened.evaluate(background)
    opened.click("#theme")
    opened.click("#theme")
    assert opened.evaluate("document.documentElement.dataset.theme") == "dark"
    dark = opened.evaluate(background)
    assert dark != light
    assert opened.evaluate(legend) != before
    opened.click("#theme")
    opened.emulate_media(color_scheme="dark")
    assert opened.evaluate(background) == dark


def test_a_telephone_scrolls_in_one_direction_only(opened: Page) -> None:
    opened.set_viewport_size({"width": 390, "height": 800})
    opened.click(".guarantee[data-verdict=violated] a.to-life >> nth=0")
    opened.locator(".life h4").wait_for()
    assert opened.evaluate("document.documentElement.scrollWidth") <= 390
