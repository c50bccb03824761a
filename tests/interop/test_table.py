"""The table of clients and features says everything, and gives every reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from clients import FEATURES, NO_SUCH_CALL, Result, explained, failures, keep, results_of
from remarks import REMARKS, remark
from table import main, table


def row(client: str, feature: str, reason: str = "") -> Result:
    return Result(client, feature, not reason, reason)


def test_each_cell_works_or_has_a_reason() -> None:
    page = table({"a": {"x": row("a", "x"), "y": row("a", "y", "no such call")}, "b": {"x": row("b", "x")}})
    assert "| x | ✓ | ✓ |" in page
    assert "| y | 1 | 2 |" in page
    assert "1. no such call\n2. not tried\n" in page
    assert "Works: a 1 of 2, b 1 of 2." in page


def test_a_feature_that_works_may_have_a_remark() -> None:
    page = table({"go-2": {"pull": row("go-2", "pull")}, "java-4": {"pull": row("java-4", "pull")}})
    assert "| pull | ✓ 1 | ✓ |" in page
    assert f"1. {remark('go-2', 'pull')}\n" in page
    assert {feature for remarks in REMARKS.values() for feature in remarks} <= set(FEATURES)


def test_no_page_leaves_anything_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "page.md"
    monkeypatch.setattr("clients.CACHE", tmp_path)
    monkeypatch.setattr("table.CACHE", tmp_path)
    monkeypatch.setattr("table.TARGET", target)
    keep("a", [row("a", name) for name in FEATURES[1:]])
    assert main() == 1
    assert capsys.readouterr().err == f"nothing is said of a {FEATURES[0]}\n"
    assert not target.exists()
    keep("a", [row("a", name) for name in FEATURES])
    assert main() == 0
    assert f"a {len(FEATURES)} of {len(FEATURES)}" in target.read_text(encoding="utf-8")


def test_chatter_is_no_result() -> None:
    printed = 'log line\n{"feature": "x", "works": false, "reason": "why", "ms": 3}\n{}\n'
    assert results_of("a", printed) == [Result("a", "x", False, "why")]


def test_what_is_known_must_stay_true() -> None:
    results = [row("a", "x"), row("a", "y", "broken"), row("a", "z", "known")]
    told = failures(results, {"z": "known", "x": "was broken"})
    assert told[0].startswith("a x works")
    assert told[1:] == ["a y: broken"]


def test_a_call_that_a_client_lacks_is_no_failure() -> None:
    assert failures([row("a", "x", NO_SUCH_CALL)], {}) == []


def test_reasons_that_we_know_replace_what_was_seen() -> None:
    results = [row("a", "x"), row("a", "y", "TimeoutException"), row("a", "z", "other")]
    told = explained(results, {"x": "stale", "y": "no TLS"})
    assert [result.reason for result in told] == ["", "no TLS", "other"]
