"""Whole lines out of what is written piecemeal."""

from __future__ import annotations

import io

from mqcheck.live.lines import LineFile


def test_it_is_the_file_until_it_is_diverted_and_after_it_is_restored() -> None:
    file, lines = io.StringIO(), list[str]()
    out = LineFile(file)
    out.write("before ")
    assert file.getvalue() == "before "
    out.divert(lines.append)
    for text in (".", ".", "F\nsecond", "\ncollecting\rcollected 3\n", "unfinished"):
        out.write(text)
        out.flush()
    assert lines == ["..F", "second", "collected 3"]
    assert file.getvalue() == "before "
    out.restore()
    assert lines[-1] == "unfinished"
    out.restore()
    out.write("after")
    assert file.getvalue() == "before after"
    assert not out.isatty()
