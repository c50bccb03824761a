"""Names in a cluster that others use too."""

from __future__ import annotations

import pytest

from mqcheck.rocketmq.names import is_owned, owned, without_kind


@pytest.mark.parametrize(
    ("given", "there"),
    [
        ("orders", "p_orders"),
        ("p_orders", "p_orders"),
        ("%RETRY%billing", "%RETRY%p_billing"),
        ("%DLQ%p_x", "%DLQ%p_x"),
    ],
)
def test_a_name_gets_the_prefix_once_and_behind_its_kind(given: str, there: str) -> None:
    assert owned("p_", given) == there
    assert is_owned("p_", there)
    assert is_owned("p_", given) == (given == there)


def test_without_a_prefix_names_stay_and_are_all_owned() -> None:
    assert owned("", "%RETRY%billing") == "%RETRY%billing"
    assert is_owned("", "TBW102")


def test_the_kind_of_a_topic_is_no_part_of_its_groups_name() -> None:
    assert [without_kind(name) for name in ("%RETRY%g", "%DLQ%g", "g")] == ["g", "g", "g"]
