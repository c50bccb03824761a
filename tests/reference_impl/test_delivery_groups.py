"""Consumer groups as configured."""

from __future__ import annotations

import pytest

from reference_impl.delivery.groups import BORN, GroupConfig, GroupTable
from reference_impl.errors import JsonError


def test_groups_are_made_on_first_use_where_allowed() -> None:
    groups = GroupTable(auto_create=True)
    assert groups.find("G", 3) == GroupConfig("G")
    assert groups.unsaved
    assert groups.find("", 3) is None
    assert GroupTable(auto_create=False).find("G", 3) is None


def test_a_configured_group_stays_as_it_is() -> None:
    groups = GroupTable(auto_create=True)
    config = GroupConfig("G", retry_max=2, retry_queues=0, consume_enable=False, notify_changes=False)
    groups.put(config, 1)
    assert groups.find("G", 2) is config
    again = GroupTable(auto_create=False)
    again.load_json(groups.to_json())
    assert again.groups == groups.groups
    assert again.version == groups.version
    groups.reset()
    assert [group.name for group in groups] == list(BORN)


def test_absent_members_get_defaults() -> None:
    assert GroupConfig.from_json({"groupName": "G"}) == GroupConfig("G")
    with pytest.raises(JsonError):
        GroupConfig.from_json({})


def test_what_the_broker_does_not_act_on_is_kept() -> None:
    config = GroupConfig("G", from_min=False, broker_id=2, slow_broker=3)
    assert GroupConfig.from_json(config.to_json()) == config


def test_a_group_can_be_forgotten() -> None:
    groups = GroupTable(auto_create=False)
    groups.put(GroupConfig("G"), 1)
    assert groups.remove("G", 2)
    assert not groups.remove("G", 3)
    assert groups.version.counter == 2
