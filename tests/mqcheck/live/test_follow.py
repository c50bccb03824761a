"""Reading several files while they grow."""

from __future__ import annotations

from pathlib import Path

from mqcheck.live.follow import Follower


def test_events_of_all_processes_come_in_the_order_of_time_and_once(tmp_path: Path) -> None:
    follower = Follower(tmp_path)
    assert follower.new() == []
    (tmp_path / "live").mkdir()
    one, two = tmp_path / "live" / "gw0.jsonl", tmp_path / "live" / "gw1.jsonl"
    one.write_text('{"event":"a","t":1}\n{"event":"c","t":3}\n{"event":"d"')
    two.write_text('{"event":"b","t":2}\n')
    assert [each["event"] for each in follower.new()] == ["a", "b", "c"]
    assert follower.new() == []
    with one.open("a") as file:
        file.write(',"t":4}\n')
    assert [each["event"] for each in follower.new()] == ["d"]
