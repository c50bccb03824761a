"""Selection: globs, ids, and what stays together."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from mqcheck.errors import SettingsError
from mqcheck.plan import Planned, keep_ids, plan, take_ids


@dataclass
class Promise:
    id: str
    level: str = "MUST"


@dataclass
class Scenario:
    name: str
    aims: tuple[str, ...]
    summary: str = ""
    alone: bool = False
    seconds: float = 1.0


PROMISES = [Promise("dur-one"), Promise("con-two", "SHOULD"), Promise("no-three", "NOT-PROMISED")]
SCENARIOS = [Scenario("kill", ("dur-one", "con-two", "no-three")), Scenario("steady", ("con-two",))]


def ids(planned: tuple[Planned, ...]) -> list[str]:
    return [pair.id for one in planned for pair in one.pairs]


def test_every_aimed_at_promise_is_a_pair_and_the_rest_is_one_more() -> None:
    assert ids(plan(SCENARIOS, PROMISES)) == [
        "mqcheck::kill::dur-one",
        "mqcheck::kill::con-two",
        "mqcheck::kill::everything-else",
        "mqcheck::steady::con-two",
        "mqcheck::steady::everything-else",
    ]


@pytest.mark.parametrize(
    ("select", "kept"),
    [
        (("dur-*",), ["mqcheck::kill::dur-one", "mqcheck::kill::everything-else"]),
        (("steady",), ["mqcheck::steady::con-two", "mqcheck::steady::everything-else"]),
        (("st*", "dur-one"), 4),
        (("*",), 5),
    ],
)
def test_globs_keep_pairs_and_everything_else(select: tuple[str, ...], kept: list[str] | int) -> None:
    found = ids(plan(SCENARIOS, PROMISES, select))
    assert (found if isinstance(kept, list) else len(found)) == kept


def test_mistakes_name_the_way_out() -> None:
    with pytest.raises(SettingsError, match=r"'dur-onne' matches no guarantee or scenario; near: dur-one"):
        plan(SCENARIOS, PROMISES, ("dur-onne",))
    with pytest.raises(SettingsError, match="aims at 'gone', which is no guarantee"):
        plan([Scenario("x", ("gone",))], PROMISES)
    with pytest.raises(SettingsError, match="not found: mqcheck::kill::x"):
        keep_ids(plan(SCENARIOS, PROMISES), ["mqcheck::kill::x"])


def test_ids_are_taken_off_the_arguments_and_select() -> None:
    found, rest = take_ids(["tests", "mqcheck::kill::dur-one", "mqcheck/x.py::test"])
    assert (found, rest) == (["mqcheck::kill::dur-one"], ["tests", "mqcheck/x.py::test"])
    assert ids(keep_ids(plan(SCENARIOS, PROMISES), found)) == found
    assert len(ids(keep_ids(plan(SCENARIOS, PROMISES), ["mqcheck::kill"]))) == 3
