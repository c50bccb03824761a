from __future__ import annotations

import pytest

from reference_impl.disk.base import Space, check_name


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


@pytest.mark.parametrize(
    ("space", "ratio"),
    [(Space(100, 50, 50), 0.5), (Space(100, 1, 998), 0.01), (Space(0, 0, 0), -1.0), (Space(9, 4, 0), 1)],
)
def test_how_full_is_rounded_up_to_percent(space: Space, ratio: float) -> None:
    assert space.ratio == ratio
