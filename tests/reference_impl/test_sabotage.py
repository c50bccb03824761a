"""The registry of planted bugs and oddities: names, guarantees, roles."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from legal_oddities import SHOWN
from planted_bugs import CAUGHT

from mqcheck.sabotage import CLIENT_SABOTAGES
from reference_impl.errors import SettingsError
from reference_impl.sabotage import ODDITIES, SABOTAGES, find


def test_every_bug_names_the_guarantee_that_must_catch_it() -> None:
    mine = {name: pair[0] for name, pair in CAUGHT.items() if name not in CLIENT_SABOTAGES}
    assert {name: bug.guarantee for name, bug in SABOTAGES.items()} == mine
    assert set(ODDITIES) == set(SHOWN)
    assert all(odd.guarantee is None for odd in ODDITIES.values())
    assert all(entry.summary for entry in (*SABOTAGES.values(), *ODDITIES.values()))


def test_the_readme_lists_every_bug() -> None:
    page = (Path(__file__).parents[2] / "reference_impl" / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \| (.*) \| ([a-z]+-[a-z0-9-]+) \|$", page, re.MULTILINE)
    told = {name: (what.removeprefix("a NameServer that "), guarantee) for name, what, guarantee in rows}
    assert told == {name: (bug.summary, bug.guarantee) for name, bug in SABOTAGES.items()}


def test_the_readme_lists_every_oddity() -> None:
    page = (Path(__file__).parents[2] / "reference_impl" / "README.md").read_text(encoding="utf-8")
    _, _, table = page.partition("| `--odd` |")
    rows = re.findall(r"^\| `([a-z-]+)` \| (.*) \| .+ \|$", table, re.MULTILINE)
    told = {name: what.removeprefix("a NameServer that ") for name, what in rows}
    assert told == {name: odd.summary for name, odd in ODDITIES.items()}


def test_a_process_takes_only_what_concerns_its_role() -> None:
    assert [bug.name for bug in find("expire-early", "slow-flush", "namesrv")] == ["expire-early"]
    assert [bug.name for bug in find("expire-early", "slow-flush", "broker")] == ["slow-flush"]
    assert find(None, None, "broker") == []


@pytest.mark.parametrize(("name", "odd"), [("slow-flush", None), (None, "corrupt-body"), ("nonsense", None)])
def test_an_unknown_name_is_the_users_mistake(name: str | None, odd: str | None) -> None:
    with pytest.raises(SettingsError, match=r"is unknown: write one of .*-"):
        find(name, odd, "broker")
