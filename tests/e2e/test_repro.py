"""`mqcheck repro` on a real power cut: the folder tells a stranger which acknowledged message is gone, and how."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mqcheck.cli import main

pytestmark = [pytest.mark.slow, pytest.mark.e2e]


def test_a_lost_message_its_acknowledgement_and_the_cut(
    broken: Callable[[str], Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = broken("ack-before-sync")
    out = tmp_path / "repro"
    assert main(["repro", str(run.folder), "power-cut", "dur-ack-power-sf", "--out", str(out)]) == 0
    operations = [json.loads(line) for line in (out / "operations.jsonl").read_text(encoding="utf-8").splitlines()]
    assert 5 <= len(operations) <= 20
    assert operations[0]["at_ms"] == 0
    lost = run.verdicts("violated")["power-cut", "dur-ack-power-sf"]["evidence"][0]
    (send,) = [row for row in operations if row["table"] == "sends" and row["message"] == lost["message"]]
    (ack,) = [row for row in operations if row["table"] == "attempts" and row["message"] == lost["message"]]
    assert (ack["outcome"], ack["code"], ack["queue_offset"]) == ("ok", 0, lost["queue_offset"])
    assert not [row for row in operations if row["table"] == "final_log" and row.get("message") == lost["message"]]
    faults = [json.loads(line) for line in (out / "faults.jsonl").read_text(encoding="utf-8").splitlines()]
    (cut,) = [row for row in faults if row.get("kind") == "power-cut" and row["node"] == lost["broker"]]
    assert cut["at_ms"] > ack["at_ms"]
    assert cut["effect"]["unsynced_bytes_dropped"] > 0
    text = (out / "README.md").read_text(encoding="utf-8")
    for told in (send["unique_key"], "SEND_OK", "power-cut", "--mqcheck-seed"):
        assert told in text
    assert f"mqadmin queryMsgByUniqueKey -n NAMESERVER -t {send['topic']} -i" in text
    command = (out / "configuration" / lost["broker"] / "command.txt").read_text(encoding="utf-8")
    assert "flushDiskType=SYNC_FLUSH" in command
    assert (out / "logs" / f"{lost['broker']}.0.log").is_file()
    assert "FROM survival" in (out / "query.sql").read_text(encoding="utf-8")
    assert json.loads((out / "evidence.json").read_text(encoding="utf-8"))["evidence"][0]["message"] == lost["message"]

    assert main(["repro", str(run.folder), "power-cut", "dur-ack-power-sf", "--out", str(out)]) == 0
    for words, told in (
        (("power-cut", "sto-fifo-queue"), "there is nothing to show"),
        (("power-cat", "dur-ack-power-sf"), "there are power-cut"),
        (("power-cut", "dur-ack-power"), "near: dur-ack-power-sf"),
    ):
        capsys.readouterr()
        assert main(["repro", str(run.folder), *words, "--out", str(out)]) == 4
        assert told in capsys.readouterr().err
