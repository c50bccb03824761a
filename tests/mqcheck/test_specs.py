"""Guarantees as data: the project's own and a user's; every complaint names file, id, field, rule and way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from mqcheck.errors import SpecsError
from mqcheck.history.helpers import expand
from mqcheck.sabotage import CLIENT_SABOTAGES
from mqcheck.specs import FEATURES, load_specs, read_file
from reference_impl.sabotage import SABOTAGES

ENTRY = """
[[guarantee]]
id = "own-thing"
title = "A thing"
subject = "broker"
level = "MUST"
statement = "A thing holds."
exercised = "SELECT 1"
violations = "SELECT 1 AS op WHERE FALSE"
"""


def write(folder: Path, text: str, name: str = "own.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_the_projects_own_guarantees_are_there() -> None:
    specs = load_specs()
    assert sum(guarantee.promised for guarantee in specs) >= 138
    assert specs.get("no-af-power").seen
    planted = {name: bug.guarantee for name, bug in {**SABOTAGES, **CLIENT_SABOTAGES}.items()}
    clients = {guarantee.id for guarantee in specs if guarantee.subject == "client"}
    assert {bug.guarantee for bug in CLIENT_SABOTAGES.values()} == clients
    assert {name for guarantee in specs for name in guarantee.features} == set(FEATURES)
    assert {name: guarantee.id for guarantee in specs for name in guarantee.sabotage} == planted


def test_every_query_can_be_expanded_and_every_entry_has_a_source() -> None:
    for guarantee in load_specs():
        assert guarantee.sources, guarantee.id
        assert guarantee.statement.endswith("."), guarantee.id
        for query in (
            guarantee.exercised,
            guarantee.violations,
            guarantee.inconclusive,
            guarantee.seen,
            guarantee.figures,
        ):
            if query:
                expand(query, guarantee.tolerance_ms)


def test_promises_without_a_planted_bug_are_known(capsys: pytest.CaptureFixture[str]) -> None:
    """Printed, so that nobody believes that more has been proven than was."""
    bare = [guarantee.id for guarantee in load_specs() if guarantee.promised and not guarantee.sabotage]
    calm = [guarantee.id for guarantee in load_specs() if guarantee.promised and not guarantee.legal_odd]
    with capsys.disabled():
        print(f"\nno planted bug yet ({len(bare)}): {', '.join(bare)}")
        print(f"no legal oddity yet ({len(calm)}): {', '.join(calm)}")
    assert len(bare) <= len(load_specs()) - len(SABOTAGES)


def test_a_users_own_folder_is_added(tmp_path: Path) -> None:
    write(tmp_path, ENTRY)
    specs = load_specs([tmp_path])
    own = specs.get("own-thing")
    assert own.applies == "TRUE"
    assert (own.enough, own.tolerance_ms, own.needs, own.area) == (1, 0, (), "own")
    assert len(specs) == len(load_specs()) + 1
    assert specs.folders[1] == tmp_path


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (('level = "MUST"', 'level = "PERHAPS"'), "field 'level': must be one of MUST, SHOULD"),
        (('subject = "broker"', 'subject = "proxy"'), "field 'subject': must be one of broker"),
        (('id = "own-thing"', 'id = "Own"'), "field 'id': lower-case words"),
        (('title = "A thing"', 'title = ""'), "field 'title': must be text that is not empty"),
        (('exercised = "SELECT 1"', ""), "field 'exercised': must be text that is not empty"),
        (('violations = "SELECT 1 AS op WHERE FALSE"', ""), "field 'violations': a promise has"),
        (('level = "MUST"', 'level = "NOT-PROMISED"'), "field 'seen': a NOT-PROMISED entry"),
        (
            ('title = "A thing"', 'title = "A thing"\nfigures = "SELECT 1"'),
            "'seen' and 'figures' belong to NOT-PROMISED",
        ),
        (
            ('title = "A thing"', 'title = "A thing"\nenough = 0'),
            "field 'enough': must be a whole number of at least 1",
        ),
        (('title = "A thing"', 'title = "A thing"\nenough = true'), "field 'enough': must be a whole number"),
        (('title = "A thing"', 'title = "A thing"\ntolerance_ms = -1'), "field 'tolerance_ms': must be a whole number"),
        (('title = "A thing"', 'title = "A thing"\nneeds = ["quake"]'), "field 'needs': 'quake' is no fault"),
        (
            ('title = "A thing"', 'title = "A thing"\nfeatures = ["push"]'),
            "field 'features': 'push' is none; known are",
        ),
        (('title = "A thing"', 'title = "A thing"\nfeatures = ["pop"]'), "field 'since': an entry with 'features'"),
        (('title = "A thing"', 'title = "A thing"\nneeds = "kill"'), "field 'needs': must be a list of texts"),
        (('title = "A thing"', 'title = "A thing"\nsubjct = "x"'), "field 'subjct': unknown; known are"),
    ],
)
def test_a_broken_entry_is_explained(tmp_path: Path, change: tuple[str, str], complaint: str) -> None:
    path = write(tmp_path, ENTRY.replace(*change))
    with pytest.raises(SpecsError) as caught:
        read_file(path)
    assert complaint in str(caught.value)
    assert str(path) in str(caught.value)
    assert "specs/README.md" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("guarantee = 1", "no [[guarantee]] in it"),
        ("", "no [[guarantee]] in it"),
        ("x = 1" + ENTRY, "'x' stands outside an entry"),
        ("[[guarantee", "specs/README.md shows the form"),
    ],
)
def test_a_broken_file_is_explained(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(SpecsError, match=complaint.replace("[", r"\[")):
        read_file(write(tmp_path, text))


def test_ids_are_unique_across_folders(tmp_path: Path) -> None:
    write(tmp_path, ENTRY.replace("own-thing", "dur-ack-kill"))
    with pytest.raises(SpecsError, match=r"'dur-ack-kill' is already taken by .*storage\.toml"):
        load_specs([tmp_path])


def test_a_folder_that_holds_nothing_is_explained(tmp_path: Path) -> None:
    with pytest.raises(SpecsError, match="holds no"):
        load_specs([tmp_path])
    with pytest.raises(SpecsError, match="is no folder"):
        load_specs([tmp_path / "absent"])


def test_an_unknown_id_names_near_ones() -> None:
    with pytest.raises(SpecsError, match="near: dur-ack-kill"):
        load_specs().get("dur-ack-kil")
