"""What a run is made of: identity, folder, target, and the command that repeats it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mqcheck import machinery
from mqcheck.errors import MissingToolError, SettingsError
from mqcheck.settings import Settings, resolve, settle


def settings(**given: Any) -> Settings:
    return settle(resolve(given, {}, []), Path("/base"), Path("/base"))


def test_a_run_has_an_id_a_folder_and_a_seed(tmp_path: Path) -> None:
    drawn = [machinery.new_run(settings(), tmp_path) for _ in range(2)]
    assert drawn[0].id != drawn[1].id
    assert drawn[0].seed != drawn[1].seed
    assert drawn[0].folder == tmp_path / ".mqcheck" / drawn[0].id
    given = machinery.new_run(settings(seed=7, report="out"), tmp_path)
    assert (given.seed, given.folder) == (7, Path("/base/out"))
    assert machinery.from_input(machinery.as_input(given, 2)) == given


def test_the_folder_is_made_and_only_our_own_leavings_are_cleared(tmp_path: Path) -> None:
    run = machinery.new_run(settings(), tmp_path)
    machinery.prepare_folder(run, tmp_path)
    assert (tmp_path / ".mqcheck" / "latest").resolve() == run.folder
    assert (tmp_path / ".mqcheck" / ".gitignore").read_text() == "*\n"
    (run.folder / "history").mkdir()
    (run.folder / "report.json").write_text("{}")
    machinery.prepare_folder(run, tmp_path)
    assert not (run.folder / "report.json").exists()
    (run.folder / "thesis.tex").write_text("years of work")
    with pytest.raises(SettingsError, match=r"'thesis\.tex', which no run of mqcheck made: name an empty folder"):
        machinery.prepare_folder(run, tmp_path)
    assert (run.folder / "thesis.tex").exists()


@pytest.mark.parametrize("below", ["file", "file/report"])
def test_a_folder_that_cannot_be_used_is_told_with_the_way_out(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("not a folder")
    run = machinery.new_run(settings(report=str(tmp_path / below)), tmp_path)
    with pytest.raises(SettingsError, match=r"cannot be used \(Not a directory\): name one that can be written to"):
        machinery.prepare_folder(run, tmp_path)
    assert (tmp_path / "file").read_text() == "not a folder"


def test_the_kit_is_asked_for_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    machinery.require_kit()
    monkeypatch.setattr(machinery, "KIT_MODULES", ("json", "no_such_module"))
    with pytest.raises(MissingToolError, match=r'no_such_module cannot be imported: pip install "mqcheck\[kit\]"'):
        machinery.require_kit()


def test_targets_are_named() -> None:
    targets = machinery.known_targets({})
    assert machinery.choose_target(targets, "reference").name == "reference"
    with pytest.raises(SettingsError, match=r"no target is called 'kafka'; there are reference"):
        machinery.choose_target(targets, "kafka")
    with pytest.raises(SettingsError, match=r"none\.toml: No such file"):
        machinery.choose_target(targets, "exec:/none.toml")
    with pytest.raises(SettingsError, match=r"'exec:'; there are reference, apache:VERSION, docker:IMAGE, exec:FILE"):
        machinery.choose_target(targets, "exec:")


def test_a_replay_repeats_the_plan(tmp_path: Path) -> None:
    run = machinery.new_run(settings(seed=7), tmp_path)
    text = machinery.replay(settings(seed=7, sabotage="corrupt-body", specs=["my specs"]), run, "kill")
    assert text == (
        "pytest --mqcheck --mqcheck-target reference --mqcheck-profile quick --mqcheck-seed 7"
        " --mqcheck-sabotage corrupt-body --mqcheck-specs '/base/my specs' --mqcheck-select kill"
    )


@pytest.mark.parametrize(
    ("cores", "workers", "shared"),
    [(1, 1, (1, 3)), (2, 1, (1, 6)), (2, 2, (1, 6)), (4, 2, (2, 6)), (8, 3, (3, 8)), (16, 64, (8, 6))],
)
def test_as_many_workers_share_the_scenarios_as_the_cores_bear(
    monkeypatch: pytest.MonkeyPatch, cores: int, workers: int, shared: tuple[int, int]
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(cores)))
    assert machinery.sharing(settings(), workers) == shared


def test_a_limit_for_each_process_is_kept_and_all_workers_share() -> None:
    assert machinery.sharing(settings(concurrency=5), 4) == (4, 5)
    assert machinery.sharing(settings(), 3, 1) == (3, 1)
    assert machinery.sharing(settings(concurrency=5), 1, 1) == (1, 5)


def test_a_report_folder_that_pytest_took_for_its_root_is_refused_with_the_way_out(tmp_path: Path) -> None:
    run = machinery.new_run(settings(report=str(tmp_path)), tmp_path)
    with pytest.raises(SettingsError, match=r"write --mqcheck-report="):
        machinery.prepare_folder(run, tmp_path)


def test_a_disk_that_cannot_be_mounted_is_the_users_to_mend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mqcheck.disks import tools
    from mqcheck.targets.reference import ReferenceTarget

    monkeypatch.setattr(tools, "missing_disk", lambda: "there is no /dev/fuse: it needs root")
    wanted = settings(disk="fuse", disk_model="strict-size")
    run = machinery.new_run(wanted, tmp_path)
    with pytest.raises(MissingToolError, match="--mqcheck-disk fuse: there is no /dev/fuse"):
        machinery.load(wanted, run, ReferenceTarget())
    assert machinery.load(settings(), run, ReferenceTarget()).planned
    assert "--mqcheck-disk fuse --mqcheck-disk-model strict-size" in machinery.replay(wanted, run, "power-cut")
    assert "--mqcheck-disk" not in machinery.replay(settings(), run, "power-cut")
