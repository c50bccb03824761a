from __future__ import annotations

import pytest

from reference_impl.disk.base import check_name


@pytest.mark.parametrize("name", ["commitlog/00000000000000000000", "config/topics.json", "a", "a/b/c", "synced.json"])
def test_plain_relative_names_pass(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../x", "a/../../x", "a//b", "./a", "a\\b", "a\x00b"])
def test_names_that_could_leave_the_root_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="use a relative path") as caught:
        check_name(name)
    assert repr(name) in str(caught.value)


@pytest.mark.parametrize("name", ["synced.jsonl", "a.tmp", "config/topics.json.prev"])
def test_names_of_the_disk_itself_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="choose another name"):
        check_name(name)
