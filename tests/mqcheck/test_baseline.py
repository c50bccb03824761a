"""A baseline is made of a run, is a file of known violations, and is renewed without losing what was not tried."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from mqcheck import exits
from mqcheck.baseline import make
from mqcheck.cli import main
from mqcheck.errors import HistoryError, SpecsError
from mqcheck.known import load_known, read_file
from mqcheck.report.json_ import schema
from mqcheck.specs import load_specs

OTHER = (
    '[[known]]\nguarantee = "sto-offset-dense"\nscenario = "kill"\nwhat = "a gap"\nsee = "a/b#1"\nsometimes = true\n'
)


def run_of(folder: Path, **verdicts: str) -> Path:
    """A finished run; names of guarantees with ``_`` for ``-``, all in the scenario `steady`."""
    folder.mkdir(exist_ok=True)
    pairs = [
        {"guarantee": name.replace("_", "-"), "scenario": "steady", "verdict": told} for name, told in verdicts.items()
    ]
    run = {"id": "20261129-1", "target": "exec:x.toml", "target_version": "1.2"}
    (folder / "report.json").write_text(json.dumps({"format": 1, "run": run, "verdicts": pairs}), encoding="utf-8")
    return folder


def test_every_violation_becomes_an_entry_that_the_kit_reads(tmp_path: Path) -> None:
    run = run_of(tmp_path, dur_ack_kill="violated", con_alo="held", sto_offset_dense="inconclusive", own_one="violated")
    out = tmp_path / "below" / "x.toml"
    assert make(run, out, load_specs()) == "1 violations (1 new, 0 gone)"
    (entry,) = read_file(out, load_specs())
    assert (entry.guarantee, entry.scenario, entry.see) == ("dur-ack-kill", "steady", "run 20261129-1")
    assert entry.what == f"broken: {load_specs().get('dur-ack-kill').title}"
    assert "exec:x.toml 1.2" in out.read_text(encoding="utf-8")
    known = load_known(None, "exec:x.toml", "1.2", load_specs(), str(out))
    found = known.of("steady", "dur-ack-kill")
    assert found is not None
    assert f"renew it with `mqcheck baseline .mqcheck/latest --out {out}`" in found.gone()
    assert known.baseline == str(out)


def test_what_is_decided_is_renewed_and_the_rest_stays_with_its_words(tmp_path: Path) -> None:
    out = tmp_path / "x.toml"
    make(run_of(tmp_path, dur_ack_kill="violated", con_alo="violated"), out, load_specs())
    spoken = out.read_text(encoding="utf-8").replace(
        f"broken: {load_specs().get('con-alo').title}", 'it \\"forgets\\" ü'
    )
    out.write_text(f'{spoken}\n{OTHER}since = "1.0"\n', encoding="utf-8")
    told = make(run_of(tmp_path, dur_ack_kill="held", con_alo="violated", con_no_skip="violated"), out, load_specs())
    assert told == "3 violations (1 new, 1 gone)"
    entries = {entry.guarantee: entry for entry in read_file(out, load_specs())}
    assert sorted(entries) == ["con-alo", "con-no-skip", "sto-offset-dense"]
    assert entries["con-alo"].what == 'it "forgets" ü'
    other = entries["sto-offset-dense"]
    assert (other.scenario, other.see, other.sometimes, other.since) == ("kill", "a/b#1", True, "1.0")


@pytest.mark.parametrize("text", ["", "[]", '{"format": 2}', '{"format": 1'])
def test_what_is_no_run_is_refused(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(HistoryError, match="name the folder of a finished run"):
        make(tmp_path, tmp_path / "x.toml", load_specs())
    (tmp_path / "report.json").write_text(text, encoding="utf-8")
    assert main(["baseline", str(tmp_path), "--out", str(tmp_path / "x.toml")]) == exits.USAGE
    assert "name the folder of a finished run" in capsys.readouterr().err


def test_a_baseline_that_is_not_there_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(SpecsError, match=r"`mqcheck baseline \.mqcheck/latest --out FILE` makes one"):
        load_known(None, "reference", "1", load_specs(), str(tmp_path / "x.toml"))


def write_baseline(sandbox: Any, *pairs: tuple[str, str]) -> None:
    entry = '[[known]]\nguarantee = "{}"\nscenario = "{}"\nwhat = "it was so"\nsee = "run 1"\n'
    sandbox.write("b.toml", "\n".join(entry.format(guarantee, scenario) for scenario, guarantee in pairs))


@pytest.mark.slow
def test_new_known_and_fixed_are_told_apart_everywhere(sandbox: Any) -> None:
    sandbox.world(kill={"verdicts": {"dur-one": "violated", "dur-two": "violated"}})
    write_baseline(sandbox, ("kill", "dur-two"), ("cut", "dur-two"))
    done = sandbox.pytest("--mqcheck", "--mqcheck-baseline", "b.toml")
    assert done.returncode == exits.VIOLATED, done.stdout
    assert "violations beside the baseline b.toml: 1 new, 1 known, 1 fixed" in done.stdout
    assert "violation of the baseline is fixed (guarantee 'dur-two', scenario 'cut'): renew it with" in done.stdout
    assert "1 xfailed" in done.stdout
    report = sandbox.report()
    jsonschema.validate(report, schema())
    assert report["baseline"] == {
        "file": str(sandbox.folder / "b.toml"),
        "new": ["mqcheck::kill::dur-one"],
        "known": ["mqcheck::kill::dur-two"],
        "fixed": ["mqcheck::cut::dur-two"],
    }
    page = (sandbox.folder / ".mqcheck" / "latest" / "report.html").read_text()
    assert "b.toml: 1 new, 1 known, 1 fixed" in page

    sandbox.world(kill={"verdicts": {"dur-two": "violated"}})
    write_baseline(sandbox, ("kill", "dur-two"))
    done = sandbox.pytest("--mqcheck", "--mqcheck-baseline", "b.toml")
    assert done.returncode == exits.HELD, done.stdout
    assert "0 new, 1 known, 0 fixed" in done.stdout


def test_an_entry_for_several_scenarios_cannot_be_renewed(tmp_path: Path) -> None:
    out = tmp_path / "x.toml"
    out.write_text(OTHER.replace('"kill"', '"broker-*"'), encoding="utf-8")
    before = out.read_text(encoding="utf-8")
    with pytest.raises(SpecsError, match=r"scenario = 'broker-\*': a baseline .* names one scenario in each entry"):
        make(run_of(tmp_path, dur_ack_kill="held"), out, load_specs())
    assert out.read_text(encoding="utf-8") == before
